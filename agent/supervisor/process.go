package supervisor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// Process is a run as the agent sees it, whether this agent started it or one
// before. Its methods may be called concurrently. They go by the files, so they
// work in any agent that has the directory. Wait and Stop, like Find, also write
// the end of a run that was lost: they are for the attempt's owner, who is done
// with them before it removes the directory.
type Process struct {
	dir        string
	supervisor identity
}

// ErrNotStarted is Find's error for a directory in which nothing has been started.
var ErrNotStarted = errors.New("no supervisor was started here")

// startTimeout bounds the time until a supervisor has ffmpeg running.
const startTimeout = 30 * time.Second

// Start starts a supervisor for an attempt and returns once ffmpeg runs or has
// failed to, which State tells. A directory that has had a supervisor is an
// error. The run goes on when the agent ends, and when ctx does after the return;
// a start that is given up before leaves nothing running.
func Start(ctx context.Context, a Config) (*Process, error) {
	if a.HangAfter == 0 {
		a.HangAfter = DefaultHangAfter
	}
	dir, err := filepath.Abs(a.Dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, supervisorFile)); err == nil {
		return nil, errStarted
	}
	if err := save(dir, configFile, a); err != nil {
		return nil, err
	}
	stderr, err := os.OpenFile(filepath.Join(dir, stderrFile), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	ready, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ready.Close()
	cmd := exec.Command("/proc/self/exe", "supervise", dir) // this very program, also after an upgrade has replaced the file
	cmd.Args[0] = os.Args[0]
	cmd.Env = Environment()
	cmd.Stderr = stderr
	cmd.ExtraFiles = []*os.File{theirs} // readyFD
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return nil, fmt.Errorf("start supervisor: %w", err)
	}
	// Ends with the supervisor; an agent that ends before leaves it to init.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	defer context.AfterFunc(ctx, func() { _ = ready.SetReadDeadline(time.Now()) })()
	if err := ready.SetReadDeadline(time.Now().Add(startTimeout)); err != nil {
		return nil, err
	}
	answer, err := bufio.NewReader(ready).ReadString('\n')
	if answer = strings.TrimSpace(answer); answer == readyAnswer {
		return Find(dir)
	}
	if answer != "" {
		err = errors.New(answer)
	}
	// One that was about to begin would do so behind the caller's back; ffmpeg dies with it.
	_ = cmd.Process.Kill() // fails when it has ended
	<-ended
	return nil, fmt.Errorf("supervisor of %s: %w", a.Name, errors.Join(ctx.Err(), err))
}

// Find returns the run of a directory. When its supervisor has died without
// saying how ffmpeg ended, what is left of ffmpeg is killed and the run's end is
// Lost. The error is ErrNotStarted when there was none.
func Find(dir string) (*Process, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	p := &Process{dir: dir}
	found, err := load(dir, supervisorFile, &p.supervisor)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, ErrNotStarted
	}
	_, err = p.result()
	return p, err
}

// Config returns what was started.
func (p *Process) Config() (Config, error) { return readConfig(p.dir) }

// State returns how the run stands. It only reads: what others may ask at any time
// must not write into a directory that its owner is removing.
func (p *Process) State() (State, error) {
	exit, err := p.exit()
	if err != nil {
		return State{}, err
	}
	r := status{Progress: ffrtmp.Progress{Phase: phaseStarting}}
	if _, err := load(p.dir, stateFile, &r); err != nil {
		return State{}, err
	}
	list, err := segments(p.dir)
	if err != nil {
		return State{}, err
	}
	s := State{Running: exit == nil, Paused: r.Paused && exit == nil, Progress: r.Progress, Percent: r.Percent, Exit: exit}
	if exit != nil {
		s.Progress = exit.Progress
	}
	if len(list) > 0 {
		newest := list[len(list)-1]
		s.LogSize = newest.offset + newest.size
	}
	return s, nil
}

// ReadLog returns up to limit bytes of the log from offset on and the offset of
// the first of them, which is higher than asked for when the beginning of the log
// is gone. At the end of the log it returns none.
func (p *Process) ReadLog(offset int64, limit int) (data []byte, from int64, err error) {
	return readLog(p.dir, offset, limit)
}

// exit returns how the run ended, nil when nobody has written that yet.
func (p *Process) exit() (*Exit, error) {
	var e Exit
	if found, err := load(p.dir, exitFile, &e); err != nil || !found {
		return nil, err
	}
	return &e, nil
}

// result returns how the run ended, nil while it runs. The end of a lost one is
// written here: only who owns the attempt may ask.
func (p *Process) result() (*Exit, error) {
	if e, err := p.exit(); e != nil || err != nil {
		return e, err
	}
	if alive, err := p.supervisor.alive(); err != nil || alive {
		return nil, err
	}
	// It may have written its last file between the two looks above.
	if e, err := p.exit(); e != nil || err != nil {
		return e, err
	}
	if err := p.writeExit(Exit{End: Lost, Reason: ffrtmp.PlatformError, Error: "ffmpeg's supervisor ended without a word"}); err != nil {
		return nil, err
	}
	return p.exit()
}

// writeExit writes the end of a run whose supervisor is dead, after killing what is
// left of ffmpeg. An end that is there already stays.
func (p *Process) writeExit(e Exit) error {
	if err := p.sweep(); err != nil {
		return err
	}
	var r status
	if _, err := load(p.dir, stateFile, &r); err != nil {
		return err
	}
	e.Code, e.EndedAt, e.Progress, e.Source = -1, time.Now().UTC(), r.Progress, r.Source
	if err := saveOnce(p.dir, exitFile, e); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// sweep returns when nothing that the dead supervisor started is running.
func (p *Process) sweep() error {
	var f identity
	if found, err := load(p.dir, ffmpegFile, &f); err != nil {
		return err
	} else if found {
		if err := f.kill(); err != nil {
			return err
		}
	}
	return sweep(p.dir, p.supervisor)
}

// retryEvery is how soon a supervisor that does not answer yet is asked again.
const retryEvery = 20 * time.Millisecond

// Wait returns how the run ended, once it has. The error is ctx's when that ends
// first; the run goes on then.
func (p *Process) Wait(ctx context.Context) (Exit, error) { return p.until(ctx, verbWait) }

// until asks again and again until the run has ended: a supervisor that has just
// started does not listen yet.
func (p *Process) until(ctx context.Context, verb string) (Exit, error) {
	ticker := time.NewTicker(retryEvery)
	defer ticker.Stop()
	for {
		if e, err := p.result(); e != nil || err != nil {
			if err != nil {
				return Exit{}, err
			}
			return *e, nil
		}
		_, _ = ask(ctx, p.dir, verb) // whatever it says, the files are what counts
		select {
		case <-ctx.Done():
			return Exit{}, ctx.Err()
		case <-ticker.C:
		}
	}
}

// stopTimeout is when a supervisor that was asked to stop ffmpeg is taken for
// frozen. It is later than its own SIGKILL.
const stopTimeout = killAfter + 300*time.Millisecond

// Stop ends ffmpeg: by q, SIGTERM after 0.7 s, SIGKILL after 1.3 s, to its whole
// group, of which nothing is left when Stop returns. A run that has ended keeps
// its end.
func (p *Process) Stop(ctx context.Context) (Exit, error) {
	asked, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	e, err := p.until(asked, verbStop)
	if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return e, err
	}
	if err := p.supervisor.kill(); err != nil {
		return Exit{}, err
	}
	if err := p.writeExit(Exit{End: Stopped}); err != nil {
		return Exit{}, err
	}
	return p.Wait(ctx)
}

// Pause freezes ffmpeg and its clocks; a paused or ended run stays as it is.
func (p *Process) Pause(ctx context.Context) error { return p.send(ctx, verbPause) }

// Resume lets a paused ffmpeg go on; a running or ended run stays as it is.
func (p *Process) Resume(ctx context.Context) error { return p.send(ctx, verbResume) }

func (p *Process) send(ctx context.Context, verb string) error {
	ticker := time.NewTicker(retryEvery)
	defer ticker.Stop()
	for {
		if answer, err := ask(ctx, p.dir, verb); err == nil && (answer == answerOK || answer == answerEnded) {
			return nil
		}
		if alive, err := p.supervisor.alive(); err != nil || !alive {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", verb, ctx.Err())
		case <-ticker.C:
		}
	}
}
