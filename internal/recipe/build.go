package recipe

import (
	"cmp"
	"fmt"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ffrtmp/ffrtmp"
)

// Run names one attempt at a job. The lease makes the work file's name unguessable.
type Run struct {
	JobID   string
	Attempt int
	Lease   string
}

// Machine describes the machine that will run the recipe.
type Machine struct {
	VAAPIDevice string // such as /dev/dri/renderD128, or ""
	NoZscale    bool   // ffmpeg lacks the zscale filter
}

// Build returns the plan of one attempt. The source is what the input holds, nil if that is unknown. Its error has a
// reason: a user error for a path outside the media roots or an input that cannot become the output, an input error
// for a missing file, a platform error for missing hardware.
func Build(e ffrtmp.Encoding, run Run, roots Roots, m Machine, s *Source) (Plan, error) {
	if err := s.check(&e); err != nil {
		return Plan{}, err
	}
	chosen, err := choose(&e, s)
	if err := cmp.Or(err, s.checkStart(&e, chosen.from)); err != nil {
		return Plan{}, err
	}
	p := Plan{Want: want(e, s, &chosen), Warnings: chosen.warnings}
	if text := s.dropped(&e, &chosen); text != "" {
		p.Warnings = append(p.Warnings, text)
	}
	// ffmpeg's stdin stays open to take q; -y is onto a file that has just been made.
	p.add("-hide_banner", "-nostats", "-loglevel", "info", "-stats_period", "0.5", "-progress",
		fmt.Sprintf("pipe:%d", ProgressFD), "-y")
	if err := p.device(e, m); err != nil {
		return Plan{}, err
	}
	p.seek(e, s)
	if err := cmp.Or(p.input(e, roots), p.picture(e, roots), p.watermark(e, roots)); err != nil {
		return Plan{}, err
	}
	inputs := len(p.Args)
	p.video(e, m, s, &chosen)
	p.passes(e, s)
	if len(e.AudioTracks) > 0 {
		p.soundTracks(e, &chosen)
	} else {
		p.sound(e, s)
	}
	p.measureLoudness(e, s, inputs)
	p.subtitles(e, &chosen)
	p.endPicture(e)
	p.add(trim(e, s)...)
	p.resumable(e)
	if err := p.output(e, run, roots, s); err != nil {
		return Plan{}, err
	}
	if err := p.sidecars(e, run, roots, s, chosen.extracted); err != nil {
		return Plan{}, err
	}
	return p, nil
}

func (p *Plan) add(args ...string) { p.Args = append(p.Args, args...) }

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// want returns what the output must be.
func want(e ffrtmp.Encoding, s *Source, chosen *selected) Want {
	w := Want{
		Codec: ffrtmp.CodecOf(e.Encoder), Start: e.Start, Seconds: e.Duration, Audio: ffrtmp.CodecOf(e.AudioEncoder),
		Pattern: e.Input == "" || e.Still, SourceSeconds: s.seconds(&e, chosen.from),
	}
	if s != nil && s.Audio() == nil {
		w.Audio = ""
	}
	if s != nil {
		for _, t := range chosen.from {
			w.Sounds = append(w.Sounds, s.soundEnd(t))
		}
	}
	switch {
	case e.Copy:
		w.copied(s)
	case !e.Audio():
		w.Width, w.Height, w.Fit, w.FPS = e.Width, e.Height, fit(e), e.FPS
	}
	if len(e.AudioTracks) > 0 {
		chosen.want(&w)
	}
	w.FrameRate = s.paced(&e, chosen)
	chosen.wantSubtitles(&w)
	return w
}

// copied sets the codecs of a copy, which are the source's.
func (w *Want) copied(s *Source) {
	if v := s.video(); v != nil {
		w.Codec = v.Codec
	}
	if a := s.audio(); a != nil && w.Audio != "" {
		w.Audio = a.Codec
	}
}

func fit(e ffrtmp.Encoding) Fit {
	switch {
	case e.Input == "" || e.ExactSize && e.Fit != "":
		return Exact
	case e.ExactSize:
		return Inside
	}
	return ShorterSide
}

// output adds the destination.
func (p *Plan) output(e ffrtmp.Encoding, run Run, roots Roots, s *Source) error {
	switch e.Mode {
	case ffrtmp.ToNull:
		p.add("-f", "null", "-")
		return nil
	case ffrtmp.ToRTMP:
		return p.stream(e)
	}
	c := e.Container()
	final, err := roots.Output(cmp.Or(e.Output, "job_"+run.JobID+c.Extension))
	if err != nil {
		return err
	}
	work := File{Root: final.Root, Name: path.Join(path.Dir(final.Name), workName(path.Base(final.Name), run))}
	p.Final, p.Work, p.Owner = &final, &work, Owner{run.JobID, e.Overwrite}
	if c.Muxer == "mp4" || c.Muxer == "mov" || c.Muxer == "ipod" {
		p.add("-movflags", "+faststart")
		if p.Want.Codec == "hevc" {
			p.add("-tag:v", "hvc1") // Apple's players know no other
		}
	}
	p.add("-map_metadata", "0")
	if s != nil && strings.HasPrefix(s.Format.Name, "matroska") {
		p.add(staleStatistics...)
	}
	p.add("-f", c.Muxer, fmt.Sprintf("file:/proc/self/fd/%d", OutputFD))
	return nil
}

// staleStatistics removes what a Matroska file's tags say of its own streams.
var staleStatistics = func() []string {
	var args []string
	for _, name := range []string{
		"BPS", "DURATION", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES",
		"_STATISTICS_WRITING_APP", "_STATISTICS_WRITING_DATE_UTC", "_STATISTICS_TAGS",
	} {
		args = append(args, "-metadata:s", name+"=", "-metadata:s", name+"-eng=")
	}
	return args
}()

const maxNameBytes = 255

// workName names a work file after its output, job, attempt and lease. It shortens the
// output's name where the result would be too long for a file name.
func workName(name string, run Run) string {
	lease := run.Lease[:min(12, len(run.Lease))]
	tail := fmt.Sprintf(".%s-%d-%s.part%s", run.JobID, run.Attempt, lease, path.Ext(name))
	stem := strings.TrimSuffix(name, path.Ext(name))
	end := min(len(stem), maxNameBytes-1-len(tail))
	for end < len(stem) && !utf8.RuneStart(stem[end]) {
		end-- // half a character would become a longer one in the plan's JSON
	}
	return "." + stem[:end] + tail
}
