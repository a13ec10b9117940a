package supervisor

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
)

// A run is ended by q, then SIGTERM, then SIGKILL.
const (
	termAfter = 700 * time.Millisecond
	killAfter = 1300 * time.Millisecond
)

// tailLines is how many of ffmpeg's last messages are searched for the cause of a failure.
const tailLines = 200

// run is one ffmpeg from start to end. The goroutine of its loop owns all fields;
// others only send to it.
type run struct {
	config   Config
	requests <-chan request
	log      *logWriter
	ffmpeg   *ffmpeg
	status   status
	watch    watch
	pass     pass
	source   sourceReader
	tail     []string
	damage   failure.Damage
	loudness loudnessReader
	samples  sampler
	started  time.Time
	ending   *failure.Error // why we end the run; nil while ffmpeg runs
	stopped  bool           // by request
	held     bool           // paused when ffmpeg ended

	lostConnections int
}

func newRun(a Config, requests <-chan request) (*run, error) {
	secrets := make([]string, 0, 2*len(a.Plan.Secrets))
	for _, s := range a.Plan.Secrets {
		if s != "" {
			secrets = append(secrets, s, ffrtmp.Redacted)
		}
	}
	log, err := newLogWriter(a.Dir, strings.NewReplacer(secrets...))
	if err != nil {
		return nil, err
	}
	r := &run{config: a, requests: requests, log: log, started: time.Now(), pass: pass{share: 1, frame: 1}}
	r.watch = watch{limits: a.Limits, hangAfter: a.HangAfter, live: a.Plan.Live()}
	r.status.setPhase()
	return r, nil
}

// close frees what the run holds, after its end is recorded.
func (r *run) close() error {
	if r.ffmpeg != nil {
		r.ffmpeg.close()
	}
	return r.log.file.Close()
}

func (r *run) loop() Exit {
	progress := lines(r.ffmpeg.progress)
	messages := lines(r.ffmpeg.stderr)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	defer signal.Stop(signals)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var escalate <-chan time.Time
	last, saved := time.Now(), r.status
	end := func(why *failure.Error) {
		if r.ending == nil {
			r.ending = why
			r.note(why.Error())
			r.ffmpeg.quit()
			escalate = time.After(termAfter)
		}
	}
	for {
		select {
		case line, ok := <-progress:
			if !ok {
				progress = nil
				continue
			}
			r.progress(line)
		case line, ok := <-messages:
			if !ok {
				messages = nil
				continue
			}
			r.message(line)
			if r.config.Strict && r.damage.Count > 0 {
				end(r.damage.Failure())
			}
		case now := <-ticker.C:
			if r.ending == nil {
				if why := r.checkLimits(now.Sub(last)); why != nil {
					end(why)
				}
			}
			last = now
			r.status.Source = r.source.source
			r.status.estimate(r.config.Plan.Want)
			if r.status != saved {
				saved = r.status
				r.checkDisk(save(r.config.Dir, stateFile, r.status))
			}
		case q := <-r.requests:
			r.serve(q, func() {
				r.stopped = r.ending == nil
				end(failure.Errorf("", "stopped"))
			})
		case <-signals:
			r.stopped = r.ending == nil
			end(failure.Errorf("", "stopped by SIGTERM"))
		case <-escalate:
			escalate = r.ffmpeg.escalate(killAfter - termAfter)
		case <-r.ffmpeg.ended:
			r.drain(progress, messages)
			return r.finish()
		}
	}
}

// serve answers a request. A stop is answered by the end of the run.
func (r *run) serve(q request, stop func()) {
	switch q.verb {
	case verbStop:
		stop()
		return
	case verbPause, verbResume:
		if pause := q.verb == verbPause; pause != r.status.Paused && r.ending == nil {
			r.pause(pause)
		}
		q.answer <- answerOK
	default:
		q.answer <- "unknown: " + q.verb
	}
}

func (r *run) pause(pause bool) {
	sig := unix.SIGCONT
	if pause {
		sig = unix.SIGSTOP
	}
	r.ffmpeg.signal(sig)
	r.status.Paused = pause
	if !pause {
		r.samples.resume(time.Since(r.started))
	}
	r.status.setPhase()
	r.status.estimate(r.config.Plan.Want)
	r.checkDisk(save(r.config.Dir, stateFile, r.status)) // before the answer, so that the caller sees it
}

// checkLimits compares a run that nothing has ended with its limits. Clocks stop while it is paused.
func (r *run) checkLimits(elapsed time.Duration) *failure.Error {
	w := &r.watch
	p := r.status.Progress
	o := observation{
		elapsed: elapsed, outTime: p.OutTimeSeconds, frames: r.pass.frames(p), read: w.last.read, cpu: w.last.cpu,
	}
	if work := r.ffmpeg.work; work != nil {
		if info, err := work.Stat(); err == nil {
			o.size, o.written = info.Size(), info.ModTime()
		}
	}
	if w.needsUsage() {
		o.read, o.cpu = r.ffmpeg.usage()
	}
	if r.status.Paused {
		o.elapsed = 0
	}
	return w.step(o)
}

// drainTimeout is for pipes held by processes outside ffmpeg's group.
const drainTimeout = 500 * time.Millisecond

// drain reads the last output of ffmpeg.
func (r *run) drain(progress, messages <-chan string) {
	deadline := time.Now().Add(drainTimeout)
	r.checkDisk(errors.Join(r.ffmpeg.progress.SetReadDeadline(deadline), r.ffmpeg.stderr.SetReadDeadline(deadline)))
	for progress != nil || messages != nil {
		select {
		case line, ok := <-progress:
			if !ok {
				progress = nil
			} else {
				r.progress(line)
			}
		case line, ok := <-messages:
			if !ok {
				messages = nil
			} else {
				r.message(line)
			}
		}
	}
}

// finish returns how the run ended.
func (r *run) finish() Exit {
	f := r.ffmpeg
	r.held, r.status.Paused = r.status.Paused, false
	r.status.setPhase()
	r.status.Source = r.source.source
	e := Exit{Code: f.state.ExitCode(), CPU: f.state.UserTime() + f.state.SystemTime(), MaxRSS: f.maxRSS()}
	unwritten := failure.Unwritten(r.tail) // whatever the exit status
	status, _ := f.state.Sys().(syscall.WaitStatus)
	switch {
	case r.stopped:
		e.End = Stopped
	case r.ending != nil:
		e.End, e.Reason, e.Error = Failed, r.ending.Reason, r.ending.Error()
	case r.config.Strict && r.damage.Count > 0:
		why := r.damage.Failure()
		e.End, e.Reason, e.Error = Failed, why.Reason, why.Error()
	case e.Code == 0 && unwritten == "":
		e.End = Succeeded
	case f.cgroup != nil && f.cgroup.outOfMemory():
		e.End, e.Reason, e.Error = Failed, ffrtmp.RuntimeError, "ffmpeg exceeded max_memory_mb"
	case r.config.Plan.Live() && failure.Refused(r.tail) != nil: // before the connection that it closed then
		why := failure.Refused(r.tail)
		e.End, e.Reason, e.Error = Failed, why.Reason, why.Error()
	case f.endpointErr() != nil && (unwritten == "" || r.config.Plan.Live()):
		err := f.endpointErr()
		e.End, e.Reason, e.Error = Failed, failure.Reason(err), r.log.redact.Replace(err.Error())
	case status.Signaled():
		e.End, e.Reason, e.Error = Failed, ffrtmp.RuntimeError, "ffmpeg was killed by signal: "+status.Signal().String()
	default:
		e.End = Failed
		e.Reason, e.Error = failure.FromLog(r.tail)
		if e.Error == "" {
			e.Error = "ffmpeg failed: " + f.state.String()
		}
	}
	return r.exit(e)
}

func (r *run) exit(e Exit) Exit {
	e.StartedAt, e.EndedAt = r.started.UTC(), time.Now().UTC()
	e.Progress, e.Source = r.status.Progress, r.status.Source
	e.Warnings, e.Series = r.warnings(), r.samples.result()
	return e
}

// warnings are what a user should know of a run that succeeded.
func (r *run) warnings() []string {
	list := slices.Concat(r.config.Plan.Warnings, r.ffmpeg.notes)
	if r.lostConnections > 0 {
		list = append(list, fmt.Sprintf("the stream was interrupted: %d lost connections", r.lostConnections))
	}
	if r.damage.Count > 0 {
		list = append(list, r.damage.String()+"; with strict they fail the job")
	}
	return list
}

// progress handles one line of ffmpeg's progress.
func (r *run) progress(line string) {
	r.take(line)
	r.samples.take(line, time.Since(r.started), &r.status.Progress)
}

// message handles one line of ffmpeg's stderr.
func (r *run) message(line string) {
	r.source.take(line)
	_, err := r.log.line(r.ffmpeg.names.Replace(line))
	r.checkDisk(err)
	// With ffmpeg's names, so that no word of a file's name is taken for a message.
	line = r.log.redact.Replace(line)
	r.damage.Take(line)
	r.loudness.take(line)
	r.tail = append(r.tail, line)
	if len(r.tail) > tailLines {
		r.tail = r.tail[1:]
	}
}

// note adds a line of our own to the job's log.
func (r *run) note(line string) {
	_, err := r.log.line("ffrtmp: " + line)
	r.checkDisk(err)
}

// checkDisk ends the run when its directory cannot be written: no agent could see
// its state.
func (r *run) checkDisk(err error) {
	if err != nil && r.ending == nil {
		r.ending = failure.Errorf(ffrtmp.PlatformError, "write the agent's state directory: %w", err)
		if r.ffmpeg != nil {
			r.ffmpeg.signal(unix.SIGKILL)
		}
	}
}

// lines sends a file line by line. A line longer than the buffer is cut.
func lines(f *os.File) <-chan string {
	c := make(chan string)
	go func() {
		defer close(c)
		reader := bufio.NewReaderSize(f, 2*maxLineBytes)
		for {
			line, err := reader.ReadSlice('\n')
			if len(line) > 0 {
				c <- strings.TrimRight(string(line), "\r\n")
			}
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = reader.ReadSlice('\n')
			}
			if err != nil {
				return
			}
		}
	}()
	return c
}
