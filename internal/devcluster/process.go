package devcluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
)

// ErrClosed is returned by a Start after Close.
var ErrClosed = errors.New("cluster is closed")

// Process is a program of a cluster. It can be stopped and started again with the same directory. It is safe for
// concurrent use.
type Process struct {
	name    string
	program string
	args    func() []string // read at every start
	env     []string
	log     string
	output  io.Writer

	mu     sync.Mutex
	run    *run // the last run; nil before the first
	closed bool
}

// run is one run of a process. Its fields may be read once done is closed, pid at any time.
type run struct {
	pid     int
	done    chan struct{}
	err     error         // from exec.Cmd.Wait
	drained chan struct{} // closed when all output is in the log; descendants can delay it after done
}

// Name is the process's name, such as master-0.
func (p *Process) Name() string { return p.name }

// LogPath is the file that the process's output is appended to.
func (p *Process) LogPath() string { return p.log }

// UseProgram makes the next start run another program file.
func (p *Process) UseProgram(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.program = path
}

// Start starts the process without waiting until it is ready. Starting a running process is an error.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return fmt.Errorf("start %s: %w", p.name, ErrClosed)
	}
	if p.run != nil && !p.run.ended() {
		return fmt.Errorf("start %s: already running", p.name)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		_ = log.Close()
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	// No context: the process runs until Stop, Kill or Close.
	cmd := exec.Command(p.program, p.args()...)
	cmd.Env = p.env
	cmd.Stdout, cmd.Stderr = writer, writer
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	r := &run{done: make(chan struct{}), drained: make(chan struct{})}
	go r.supervise(cmd, started)
	err = <-started
	_ = writer.Close()
	if err != nil {
		_, _ = reader.Close(), log.Close()
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.run = r
	go func() {
		defer close(r.drained)
		p.copyOutput(log, reader)
	}()
	return nil
}

// supervise starts the process and waits for its end on one thread: Linux sends the death signal when the thread that
// started the process ends, not the whole program.
func (r *run) supervise(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	r.pid = cmd.Process.Pid
	started <- nil
	r.err = cmd.Wait()
	close(r.done)
}

func (r *run) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// copyOutput ends with the last process that has the pipe open, at the latest when Close has killed them all.
func (p *Process) copyOutput(log, from *os.File) {
	defer log.Close()
	defer from.Close()
	var to io.Writer = log
	if p.output != nil {
		to = io.MultiWriter(log, &prefixer{prefix: p.name + " | ", w: p.output})
	}
	_, _ = io.Copy(to, from)
}

// current is the last run, nil before the first.
func (p *Process) current() *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run
}

// Running reports whether the process has not ended; one stopped by SIGSTOP has not.
func (p *Process) Running() bool {
	r := p.current()
	return r != nil && !r.ended()
}

// PID is the process id of the last run, 0 before the first.
func (p *Process) PID() int {
	if r := p.current(); r != nil {
		return r.pid
	}
	return 0
}

// Signal sends a signal to the process alone, not to its children.
func (p *Process) Signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil || p.run.ended() {
		return fmt.Errorf("signal %s: not running", p.name)
	}
	// Until Wait returns, an ended process is a zombie, and its id is not reused.
	if err := syscall.Kill(p.run.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	return nil
}

// Kill kills the process by SIGKILL and returns when it has ended. Children in process groups of their own survive, as
// after a crash. Killing a process that is not running has no effect.
func (p *Process) Kill() {
	r := p.current()
	if r == nil || r.ended() {
		return
	}
	_ = p.Signal(syscall.SIGKILL) // fails only if it has just ended
	<-r.done
}

// Stop sends SIGTERM and waits until the process has ended. It returns nil for exit status 0. When the context ends
// first, it returns the context's error and leaves the process running.
func (p *Process) Stop(ctx context.Context) error {
	if !p.Running() {
		return nil
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.Wait(ctx)
}

// Wait waits until the process has ended and its output is in the log. A descendant that keeps the output open delays
// it until ctx ends. It returns nil for exit status 0.
func (p *Process) Wait(ctx context.Context) error {
	r := p.current()
	if r == nil {
		return fmt.Errorf("wait for %s: never started", p.name)
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		return fmt.Errorf("wait for %s: %w", p.name, ctx.Err())
	}
	select {
	case <-r.drained:
	case <-ctx.Done():
	}
	if r.err != nil {
		return fmt.Errorf("%s ended: %w", p.name, r.err)
	}
	return nil
}

// close kills the process and its group. It cannot be started again.
func (p *Process) close() {
	p.mu.Lock()
	p.closed = true
	r := p.run
	p.mu.Unlock()
	if r == nil {
		return
	}
	if !r.ended() {
		_ = syscall.Kill(-r.pid, syscall.SIGKILL)
	}
	<-r.done
}

// process returns the shared part of masters and agents.
func (c *Cluster) process(program, name string, args func() []string) Process {
	return Process{
		name:    name,
		program: filepath.Join(c.opts.BinDir, program),
		args:    args,
		env:     c.env,
		log:     filepath.Join(c.dir, "logs", name+".log"),
		output:  c.output,
	}
}
