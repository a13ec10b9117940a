package supervisor

import (
	"errors"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
)

// pass is what one ffmpeg of a run contributes to its progress. Of two passes each counts half, so that frames, output
// time, percentage and remaining time of the run go on from one pass to the next.
type pass struct {
	share  float64         // of each frame, second of output and unit of speed
	before ffrtmp.Progress // made by the pass before, by its share
	own    ffrtmp.Progress // of this ffmpeg
}

// frames returns those of this ffmpeg alone.
func (p *pass) frames(of ffrtmp.Progress) int64 {
	if p.share == 1 {
		return of.Frame
	}
	return p.own.Frame
}

// take applies a line of ffmpeg's progress.
func (r *run) take(line string) {
	if r.pass.share == 1 {
		r.status.take(line)
		return
	}
	own := status{Paused: r.status.Paused, Progress: r.pass.own}
	own.take(line)
	r.pass.own = own.Progress
	r.status.Progress = r.pass.total(own.Progress)
	r.status.setPhase()
}

// total returns the progress of the run.
func (p *pass) total(own ffrtmp.Progress) ffrtmp.Progress {
	t := p.before
	t.Frame += int64(p.share * float64(own.Frame))
	t.OutTimeSeconds += p.share * own.OutTimeSeconds
	t.FPS, t.Speed, t.Phase = p.share*own.FPS, p.share*own.Speed, own.Phase
	return t
}

// do runs ffmpeg to its end, once or in two passes. It calls ready once ffmpeg runs or has failed to start.
func (r *run) do(ready func()) Exit {
	plan := r.config.Plan
	if len(plan.First) == 0 {
		return r.once(ready)
	}
	r.pass.share = 0.5
	r.config.Plan = plan.Pass(true)
	first := r.once(ready)
	if first.End != Succeeded || plan.Want.Missed(r.pass.own.Frame, r.pass.own.OutTimeSeconds) {
		return first
	}
	r.config.Plan = plan.Pass(false)
	r.second()
	e := r.once(func() { r.note("second pass") })
	e.CPU += first.CPU
	e.MaxRSS = max(e.MaxRSS, first.MaxRSS)
	return e
}

// second prepares the run for its second ffmpeg. What the first reported of the source is reported again.
func (r *run) second() {
	r.ffmpeg.close()
	r.ffmpeg = nil
	r.pass.before, r.pass.own = r.status.Progress, ffrtmp.Progress{}
	r.watch.again()
	r.tail, r.damage = nil, failure.Damage{}
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
