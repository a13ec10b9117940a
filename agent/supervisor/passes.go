package supervisor

import (
	"errors"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// pass is what one ffmpeg of a run contributes to its progress. Of two passes each counts a part, so that frames,
// output time, percentage and remaining time of the run continue from one pass to the next. Those of a stream's
// connections add up.
type pass struct {
	share  float64         // of each second of output and unit of speed
	frame  float64         // of each frame
	before ffrtmp.Progress // made before
	own    ffrtmp.Progress // of this ffmpeg
}

// frames returns those of this ffmpeg alone.
func (p *pass) frames(of ffrtmp.Progress) int64 {
	if p.alone() {
		return of.Frame
	}
	return p.own.Frame
}

// alone reports whether this ffmpeg is the run's first, and counts whole.
func (p *pass) alone() bool { return p.share == 1 && p.frame == 1 && p.before == (ffrtmp.Progress{}) }

// take applies a line of ffmpeg's progress.
func (r *run) take(line string) {
	if r.pass.alone() {
		r.status.take(line)
		r.bound(&r.status.Progress)
		r.pass.own = r.status.Progress
		return
	}
	own := status{Paused: r.status.Paused, Progress: r.pass.own}
	own.take(line)
	r.bound(&own.Progress)
	r.pass.own = own.Progress
	r.status.Progress = r.pass.total(own.Progress)
	r.status.setPhase()
}

// bound keeps text that is shown late, or for long, from counting as output time: the video's frames do.
func (r *run) bound(p *ffrtmp.Progress) {
	if rate := r.config.Plan.Want.FrameRate; rate > 0 && p.Frame > 0 {
		p.OutTimeSeconds = min(p.OutTimeSeconds, float64(p.Frame)/rate+1)
	}
}

// total returns the progress of the run.
func (p *pass) total(own ffrtmp.Progress) ffrtmp.Progress {
	t := p.before
	t.Frame += int64(p.frame * float64(own.Frame))
	t.OutTimeSeconds += p.share * own.OutTimeSeconds
	t.FPS, t.Speed, t.Phase = p.frame*own.FPS, p.share*own.Speed, own.Phase
	return t
}

// do runs ffmpeg to its end: once, in two passes, or again after lost connections. It calls ready once ffmpeg runs or
// has failed to start.
func (r *run) do(ready func()) Exit {
	switch plan := r.config.Plan; {
	case len(plan.First) > 0:
		return r.twice(ready)
	case plan.Reconnect != 0:
		return r.stream(ready)
	}
	return r.once(ready)
}

// twice runs ffmpeg in two passes.
func (r *run) twice(ready func()) Exit {
	plan := r.config.Plan
	share := firstShare(plan)
	r.pass.share, r.pass.frame = share, 0.5
	r.config.Plan = plan.Pass(true)
	first := r.once(ready)
	if first.End != Succeeded || !plan.SoundFirst && plan.Want.Missed(r.pass.own.Frame, r.pass.own.OutTimeSeconds) {
		return first
	}
	measured := r.loudness
	r.config.Plan = plan.Normalize(measured.measured()).Pass(false)
	r.again()
	r.pass.share = 1 - share
	if plan.SoundFirst {
		r.pass.frame = 1
	}
	e := r.once(func() { r.note("second pass") })
	e.Loudness = loudness(plan, measured, r.loudness)
	if e.End == Succeeded {
		e.Warnings = append(e.Warnings, loudnessWarnings(plan, e.Loudness)...)
	}
	e.CPU += first.CPU
	e.MaxRSS = max(e.MaxRSS, first.MaxRSS)
	return e
}

// firstShare returns how much of a run its first pass is. Sound alone is read many times faster than video is encoded.
func firstShare(plan recipe.Plan) float64 {
	if plan.SoundFirst && plan.Want.Codec != "" {
		return 0.1
	}
	return 0.5
}

// again prepares the run for its next ffmpeg. What the one before reported of the source is reported again.
func (r *run) again() {
	r.ffmpeg.close()
	r.ffmpeg = nil
	r.pass.before, r.pass.own = r.status.Progress, ffrtmp.Progress{}
	r.watch.again()
	r.tail, r.damage, r.loudness = nil, failure.Damage{}, loudnessReader{}
}

// once runs one ffmpeg to its end.
func (r *run) once(ready func()) Exit {
	f, err := startFFmpeg(r.config)
	r.ffmpeg = f
	if err == nil {
		err = errors.Join(save(r.config.Dir, ffmpegFile, f.identity), save(r.config.Dir, stateFile, r.status))
	}
	for _, note := range f.notes {
		r.note(note)
	}
	if r.held && err == nil { // paused when the pass before had just ended
		r.pause(true)
	}
	ready()
	if err != nil {
		r.note(err.Error())
		f.abort()
		return r.exit(Exit{End: Failed, Reason: failure.Reason(err), Error: r.log.redact.Replace(err.Error())})
	}
	return r.loop()
}

// again prepares the watch for the next ffmpeg of a run, whose time counts as the run's.
func (w *watch) again() { w.still, w.last, w.cpu = 0, observation{}, 0 }
