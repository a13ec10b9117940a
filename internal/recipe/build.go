package recipe

import (
	"cmp"
	"fmt"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
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
}

// Build returns the plan of one attempt. Its error has a reason: a user error for a
// path outside the media roots, an input error for a missing file, a platform error
// for missing hardware.
func Build(e ffrtmp.Encoding, run Run, roots Roots, m Machine) (Plan, error) {
	p := Plan{Want: want(e)}
	// ffmpeg's stdin stays open to take q; -y is onto a file that has just been made.
	p.add("-hide_banner", "-nostats", "-loglevel", "info", "-stats_period", "0.5", "-progress",
		fmt.Sprintf("pipe:%d", ProgressFD), "-y")
	if err := p.device(e, m); err != nil {
		return Plan{}, err
	}
	if err := p.input(e, roots); err != nil {
		return Plan{}, err
	}
	p.video(e)
	p.audio(e)
	if e.Duration > 0 {
		p.add("-t", number(e.Duration))
	}
	if err := p.output(e, run, roots); err != nil {
		return Plan{}, err
	}
	return p, nil
}

func (p *Plan) add(args ...string) { p.Args = append(p.Args, args...) }

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func want(e ffrtmp.Encoding) Want {
	w := Want{
		Codec: codecName(e.Encoder), Height: e.Height, FPS: e.FPS, Seconds: e.Duration,
		Audio: codecName(e.AudioEncoder), Pattern: e.Input == "",
	}
	if e.ExactSize || w.Pattern {
		w.Width = e.Width
	}
	return w
}

// codecName returns ffprobe's name of an encoder's codec.
func codecName(encoder string) string {
	switch encoder {
	case "libx264":
		return "h264"
	case "libx265":
		return "hevc"
	case "libvpx-vp9":
		return "vp9"
	case "libsvtav1", "libaom-av1":
		return "av1"
	case "libmp3lame":
		return "mp3"
	case "libopus":
		return "opus"
	}
	name, _, _ := strings.Cut(encoder, "_")
	return name
}

// muxers maps file name extensions to ffmpeg's formats: ffmpeg never sees the name.
var muxers = map[string]string{
	".mp4": "mp4", ".mkv": "matroska", ".mov": "mov", ".webm": "webm", ".ts": "mpegts", ".flv": "flv",
}

func (p *Plan) output(e ffrtmp.Encoding, run Run, roots Roots) error {
	switch e.Mode {
	case ffrtmp.ToNull:
		p.add("-f", "null", "-")
		return nil
	case ffrtmp.ToRTMP:
		return p.stream(e)
	}
	final, err := roots.Output(cmp.Or(e.Output, "job_"+run.JobID+".mp4"))
	if err != nil {
		return err
	}
	ext := strings.ToLower(path.Ext(final.Name))
	muxer, ok := muxers[ext]
	if !ok {
		return failure.Errorf(ffrtmp.UserError,
			"output: %s: the name must end in .mp4, .mkv, .mov, .webm, .ts or .flv", final.Name)
	}
	if muxer == "mpegts" && (p.Want.Codec == "vp9" || p.Want.Codec == "av1") {
		// ffmpeg succeeds, but no player finds the video.
		return failure.Errorf(ffrtmp.UserError, "output: a .ts file cannot hold %s; use .mp4, .mkv or .webm",
			p.Want.Codec)
	}
	work := File{Root: final.Root, Name: path.Join(path.Dir(final.Name), workName(path.Base(final.Name), run))}
	p.Final, p.Work = &final, &work
	if muxer == "mp4" || muxer == "mov" {
		p.add("-movflags", "+faststart")
		if p.Want.Codec == "hevc" {
			p.add("-tag:v", "hvc1") // Apple's players know no other
		}
	}
	p.add("-map_metadata", "0", "-f", muxer, fmt.Sprintf("file:/proc/self/fd/%d", OutputFD))
	return nil
}

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
