package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/media"
	"github.com/ffrtmp/ffrtmp/agent/probe"
	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// start builds ffmpeg's arguments and starts it under a supervisor.
func (a *Agent) start(at *attempt) (*supervisor.Process, error) {
	parameters, err := ffrtmp.ParseParameters(at.job.Parameters)
	if err != nil {
		return nil, failure.Errorf(ffrtmp.UserError, "%w", err)
	}
	encoding, err := ffrtmp.Resolve(at.job.Scenario, parameters)
	if err != nil {
		return nil, failure.Errorf(ffrtmp.UserError, "%w", err)
	}
	source, err := a.look(at.ctx, &encoding)
	if err != nil {
		return nil, err
	}
	run := recipe.Run{JobID: at.jobID, Attempt: at.attempt, Lease: at.job.Lease}
	machine := recipe.Machine{VAAPIDevice: a.facts.VAAPIDevice, NoZscale: !a.tools.Zscale}
	plan, err := recipe.Build(encoding, run, a.roots, machine, source)
	if err != nil {
		return nil, err
	}
	p, err := supervisor.Start(at.ctx, supervisor.Config{
		Dir:    at.dir.path,
		Name:   "job " + at.String(),
		FFmpeg: a.tools.FFmpeg,
		Plan:   plan,
		Limits: encoding.Limits,
		Strict: encoding.Strict,
		Input:  probe.Describe(source),

		HangAfter: time.Duration(encoding.HangTimeoutSec) * time.Second,
	})
	if err == nil {
		return p, nil
	}
	// An earlier agent may have started it just before it died.
	if earlier, found := supervisor.Find(at.dir.path); found == nil {
		return earlier, nil
	}
	return nil, err
}

// inspect describes an input; nil for a test pattern or a live stream.
func (a *Agent) inspect(ctx context.Context, input string) (*recipe.Source, error) {
	scheme, _, remote := strings.Cut(input, "://")
	switch {
	case input == "":
		return nil, nil
	case remote && strings.HasPrefix(strings.ToLower(scheme), "http"):
		return probe.URL(ctx, a.tools.FFprobe, input)
	case remote:
		return nil, nil
	}
	file, err := a.roots.Input("input", input)
	if err != nil {
		return nil, err
	}
	return probe.File(ctx, a.tools.FFprobe, file)
}

// look describes what a job reads: its input, with the picture that is shown with it. It returns an error for a
// watermark that is no picture.
func (a *Agent) look(ctx context.Context, e *ffrtmp.Encoding) (source *recipe.Source, err error) {
	if e.Watermark != nil {
		if _, err := a.picture(ctx, "watermark.image", e.Watermark.Image); err != nil {
			return nil, err
		}
	}
	if e.Still {
		return a.picture(ctx, "input", e.Input)
	}
	if source, err = a.inspect(ctx, e.Input); err != nil || e.Picture == "" {
		return source, err
	}
	picture, err := a.picture(ctx, "picture", e.Picture)
	if source != nil && err == nil {
		source.Picture = picture.Video()
	}
	return source, err
}

// picture describes a picture that a field of a job names.
func (a *Agent) picture(ctx context.Context, field, name string) (*recipe.Source, error) {
	file, err := a.roots.Input(field, name)
	if err != nil {
		return nil, err
	}
	return probe.Picture(ctx, a.tools.FFprobe, field, file)
}

// verify checks the output of a successful ffmpeg.
func (a *Agent) verify(at *attempt, exit supervisor.Exit) (*outcome, error) {
	started, err := at.running().Config()
	if err != nil {
		return nil, err
	}
	o := a.newOutcome(at, ffrtmp.ResultCompleted)
	o.Result.Warnings = exit.Warnings
	p := started.Plan
	o.Input, o.Work, o.Final, o.Owner = p.Input, p.Work, p.Final, p.Owner
	o.Sidecars = p.Sidecars
	if p.Want.Missed(exit.Progress.Frame, exit.Progress.OutTimeSeconds) {
		return nil, failure.Errorf(ffrtmp.UserError, "start: nothing of the input is left at %g s", p.Want.Start)
	}
	if o.Work == nil {
		return o, nil
	}
	report, err := probe.Verify(at.ctx, a.tools.FFprobe, *o.Work, started.Plan.Want, exit.Source, o.Input)
	if err != nil {
		return nil, err
	}
	if o.Result.Output, err = outputOf(at.ctx, *o.Work, *o.Final); err != nil {
		return nil, err
	}
	o.Result.Output.Loudness = exit.Loudness
	if err := addSidecars(at.ctx, o); err != nil {
		return nil, err
	}
	o.Result.Media = &ffrtmp.Media{Output: probe.Describe(&recipe.Source{Report: report})}
	if o.Result.Media.Output != nil {
		o.Result.Media.Output.SizeBytes = o.Result.Output.SizeBytes
	}
	return o, nil
}

// addSidecars describes the files of extracted subtitles in the result.
func addSidecars(ctx context.Context, o *outcome) error {
	for _, s := range o.Sidecars {
		file, err := outputOf(ctx, s.Work, s.Final)
		if err != nil {
			return err
		}
		if file.SizeBytes == 0 {
			o.Result.Warnings = append(o.Result.Warnings, file.Path+" is empty: the track has no text in this part")
		}
		o.Result.Output.Sidecars = append(o.Result.Output.Sidecars, ffrtmp.Sidecar{
			Path: file.Path, SizeBytes: file.SizeBytes, SHA256: file.SHA256,
		})
	}
	return nil
}

func outputOf(ctx context.Context, work, final recipe.File) (*ffrtmp.Output, error) {
	f, err := media.Open(work)
	if err != nil {
		return nil, failure.Errorf(ffrtmp.OutputError, "read output: %w", err)
	}
	defer f.Close()
	defer context.AfterFunc(ctx, func() { f.Close() })() // reading a large file takes minutes
	hash := sha256.New()
	size, err := io.Copy(hash, f)
	if err != nil {
		return nil, failure.Errorf(ffrtmp.OutputError, "read output: %w", err)
	}
	return &ffrtmp.Output{Path: final.Path(), SizeBytes: size, SHA256: hex.EncodeToString(hash.Sum(nil))}, nil
}

// addMedia adds what was read and how the encoding went to a result.
func addMedia(r *ffrtmp.Result, p *supervisor.Process, exit supervisor.Exit) {
	var m ffrtmp.Media
	if r.Media != nil {
		m = *r.Media
	}
	if started, err := p.Config(); err == nil { // else it is not known
		m.Input = started.Input
	}
	m.Series = exit.Series
	r.Media = m.Bounded()
}

// metricsOf describes the run in a result.
func metricsOf(exit supervisor.Exit) json.RawMessage {
	data, err := json.Marshal(map[string]any{
		"wall_seconds":     exit.EndedAt.Sub(exit.StartedAt).Seconds(),
		"cpu_seconds":      exit.CPU.Seconds(),
		"max_memory_bytes": exit.MaxRSS,
		"frames":           exit.Progress.Frame,
		"fps":              exit.Progress.FPS,
		"speed":            exit.Progress.Speed,
		"out_time_seconds": exit.Progress.OutTimeSeconds,
	})
	if err != nil {
		return nil // a NaN of ffmpeg's; the result counts, not its metrics
	}
	return data
}
