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
	"github.com/ffrtmp/ffrtmp/agent/confine"
)

// Process is a run as an agent sees it, whether this agent or an earlier one started
// it. Its methods may be called concurrently. They read files, so they work in any
// agent that has the directory. Find, Wait and Stop also write the end of a run whose
// supervisor died: only the attempt's owner may call them, before it removes the
// directory.
type Process struct {
	dir        string
	supervisor identity
}

// ErrNotStarted is Find's error for a directory without a run.
var ErrNotStarted = errors.New("no supervisor was started")

// startTimeout bounds the start of a supervisor and its ffmpeg.
const startTimeout = 30 * time.Second

// Start starts a supervisor and returns once ffmpeg runs or has failed to start, which
// State shows. A directory that already had a supervisor is an error. After Start has
// returned, the run survives the agent and ctx; a canceled start leaves nothing
// running.
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
	// this very program, even if an upgrade has replaced the file
	cmd := exec.Command("/proc/self/exe", "supervise", dir)
	cmd.Args[0] = os.Args[0]
	cmd.Env = confine.Environment()
	cmd.Stderr = stderr
	cmd.ExtraFiles = []*os.File{theirs} // readyFD
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return nil, fmt.Errorf("start supervisor: %w", err)
	}
	// Reaps the supervisor; if the agent ends first, init does.
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
	// It must not start ffmpeg after this return; ffmpeg dies with it.
	_ = cmd.Process.Kill() // fails when it has ended
	<-ended
	return nil, fmt.Errorf("supervisor of %s: %w", a.Name, errors.Join(ctx.Err(), err))
}

// Find returns the run of a directory, or ErrNotStarted. If the supervisor died
// without recording an end, Find kills the rest of ffmpeg and records Lost.
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

// State returns the state of the run. It only reads: the owner may be removing the
// directory.
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
	running := exit == nil
	s := State{Running: running, Paused: r.Paused && running, Progress: r.Progress, Percent: r.Percent, Exit: exit}
	if exit != nil {
		s.Progress = exit.Progress
	}
	if len(list) > 0 {
		newest := list[len(list)-1]
		s.LogSize = newest.offset + newest.size
	}
	return s, nil
}

// ReadLog returns up to limit bytes of the log and their offset, which is higher than
// requested when older bytes have been dropped. At the end of the log it returns none.
func (p *Process) ReadLog(offset int64, limit int) (data []byte, from int64, err error) {
	return readLog(p.dir, offset, limit)
}

// exit returns how the run ended, nil when that is not recorded yet.
func (p *Process) exit() (*Exit, error) {
	var e Exit
	if found, err := load(p.dir, exitFile, &e); err != nil || !found {
		return nil, err
	}
	return &e, nil
}

// result returns how the run ended, nil while it runs. It records the end of a run
// whose supervisor died: only the owner of the attempt may call it.
func (p *Process) result() (*Exit, error) {
	if e, err := p.exit(); e != nil || err != nil {
		return e, err
	}
	if alive, err := p.supervisor.alive(); err != nil || alive {
		return nil, err
	}
	// It may have written its last file between the two checks above.
	if e, err := p.exit(); e != nil || err != nil {
		return e, err
	}
	if err := p.writeExit(Exit{
		End: Lost, Reason: ffrtmp.PlatformError,
		Error: "the supervisor of ffmpeg was killed",
	}); err != nil {
		return nil, err
	}
	return p.exit()
}

// writeExit kills the rest of ffmpeg and records the end of a run whose supervisor is
// dead. An existing record stays.
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

// sweep kills everything that the dead supervisor had started.
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

// retryEvery is the pause between requests to a supervisor that does not answer yet.
const retryEvery = 20 * time.Millisecond

// Wait waits until the run has ended and returns how. If ctx ends first, the error is
// ctx's and the run continues.
func (p *Process) Wait(ctx context.Context) (Exit, error) { return p.until(ctx, verbWait) }

// until repeats a command until the run has ended: a supervisor that has just started
// does not listen yet.
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
		_, _ = ask(ctx, p.dir, verb) // whatever the answer, the files count
		select {
		case <-ctx.Done():
			return Exit{}, ctx.Err()
		case <-ticker.C:
		}
	}
}

// stopTimeout is when a supervisor that was asked to stop counts as frozen. It is
// later than its own SIGKILL.
const stopTimeout = killAfter + 300*time.Millisecond

// Stop ends ffmpeg and its whole process group: q, SIGTERM after 0.7 s, SIGKILL after
// 1.3 s. A run that has already ended keeps its end.
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

// Pause stops ffmpeg and its clocks; it does nothing to a paused or ended run.
func (p *Process) Pause(ctx context.Context) error { return p.send(ctx, verbPause) }

// Resume continues a paused ffmpeg; it does nothing to a running or ended run.
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
