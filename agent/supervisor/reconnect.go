package supervisor

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// goodStreaming is how much of a stream must have been sent over a connection for its loss to count as the first.
const goodStreaming = 60 // seconds

// Pauses before connections, doubled from one to the next.
const (
	firstReconnect   = time.Second
	longestReconnect = 30 * time.Second
)

// budget counts the lost connections in a row that a stream survives.
type budget struct {
	allowed int // negative: any number
	used    int
}

// spend takes a lost connection from the budget, given how many seconds were streamed over it. It returns how long to
// wait for the next one, or false when the budget is used up.
func (b *budget) spend(streamed float64) (pause time.Duration, ok bool) {
	if streamed >= goodStreaming {
		b.used = 0
	}
	if b.allowed >= 0 && b.used >= b.allowed {
		return 0, false
	}
	pause = longestReconnect
	if b.used < 5 {
		pause = min(firstReconnect<<b.used, longestReconnect)
	}
	b.used++
	return pause, true
}

// String describes the budget after a loss.
func (b *budget) String() string {
	if b.allowed < 0 {
		return fmt.Sprintf("attempt %d", b.used)
	}
	return fmt.Sprintf("attempt %d of %d", b.used, b.allowed)
}

// stream runs ffmpeg until the stream ends otherwise than by a lost connection, or too many were lost in a row.
func (r *run) stream(ready func()) Exit {
	plan := r.config.Plan
	b := budget{allowed: plan.Reconnect}
	var sent Exit // CPU time and memory of all
	var ended bool
	for {
		e := r.once(ready)
		sent.CPU, sent.MaxRSS = sent.CPU+e.CPU, max(sent.MaxRSS, e.MaxRSS)
		e.CPU, e.MaxRSS = sent.CPU, sent.MaxRSS
		streamed := r.pass.own.OutTimeSeconds
		lost := r.lost(e)
		ended = e.End == Succeeded || ended && streamed == 0
		pause, again := b.spend(streamed)
		switch {
		case lost && ended && !again: // the input ended, and no connection since has brought anything
			e.End, e.Reason, e.Error = Succeeded, "", ""
			return e
		case !lost || !again:
			return e
		}
		r.note(fmt.Sprintf("connection lost after %.0f s: %s; connecting again in %s (%s)", streamed,
			cause(e), pause, &b))
		if r.idle(pause); r.stopped || r.ending != nil {
			return r.exit(r.interrupted(sent))
		}
		r.again()
		if plan.Restart {
			r.pass.before = ffrtmp.Progress{}
		}
		r.lostConnections++
		r.config.Plan = plan.Resume(r.pass.before.OutTimeSeconds)
		ready = func() {}
	}
}

func cause(e Exit) string {
	if e.Error == "" {
		return "the input ended"
	}
	return e.Error
}

// lost reports whether a stream ended by a connection that is worth making again.
func (r *run) lost(e Exit) bool {
	p := r.config.Plan
	switch {
	case r.ending != nil && r.ending.Reason != ffrtmp.Hung:
		return false
	case e.End == Succeeded: // else it was as long as the job wanted
		return p.Rejoin && (p.Want.Seconds == 0 || r.status.Progress.OutTimeSeconds < p.Want.Seconds-0.5)
	}
	return e.End == Failed && (e.Reason == ffrtmp.NetworkError || e.Reason == ffrtmp.Hung)
}

// interrupted completes the end of a run that ended between two connections.
func (r *run) interrupted(e Exit) Exit {
	if e.End = Stopped; !r.stopped {
		e.End, e.Reason, e.Error = Failed, r.ending.Reason, r.ending.Error()
	}
	return e
}

// idle waits until the next connection is due. Requests are served meanwhile: a paused stream waits on.
func (r *run) idle(pause time.Duration) {
	r.ending = nil
	r.status.Progress.Speed, r.status.Progress.FPS = 0, 0
	r.status.Paused, r.held = r.held, false
	r.status.setPhase()
	r.checkDisk(save(r.config.Dir, stateFile, r.status))
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	defer signal.Stop(signals)
	due := time.NewTimer(pause)
	defer due.Stop()
	for waiting := true; (waiting || r.status.Paused) && !r.stopped && r.ending == nil; {
		select {
		case <-due.C:
			waiting = false
		case <-signals:
			r.stopped = true
		case q := <-r.requests:
			r.serveIdle(q)
		}
	}
}

// serveIdle answers a request while no ffmpeg runs.
func (r *run) serveIdle(q request) {
	switch q.verb {
	case verbStop:
		r.stopped = true
		return
	case verbPause, verbResume:
		r.status.Paused = q.verb == verbPause
		r.status.setPhase()
		r.checkDisk(save(r.config.Dir, stateFile, r.status))
		q.answer <- answerOK
	default:
		q.answer <- "unknown: " + q.verb
	}
}
