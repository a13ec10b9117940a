package supervisor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/confine"
	"github.com/ffrtmp/ffrtmp/agent/media"
	"github.com/ffrtmp/ffrtmp/agent/proxy"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// firstFD is the number of the first inherited file after the three standard ones.
const firstFD = 3

// ffmpeg is the process and its resources. Only the run's goroutine calls methods.
type ffmpeg struct {
	cmd       *exec.Cmd
	identity  identity
	stdin     *os.File
	progress  *os.File
	stderr    *os.File
	input     os.FileInfo // nil without an input file
	work      *os.File    // nil without an output file
	endpoints []*proxy.Endpoint
	cgroup    *cgroup
	notes     []string          // for the job's log
	aliases   []string          // pairs: ffmpeg's name of a file or server, the user's
	names     *strings.Replacer // of the aliases
	ended     chan struct{}     // closed once the process group has ended
	state     *os.ProcessState  // valid after ended
	killing   bool
}

// startFFmpeg opens the plan's files and starts ffmpeg. The caller must abort and
// close the result, also after an error.
func startFFmpeg(a Config) (*ffmpeg, error) {
	f := &ffmpeg{ended: make(chan struct{}), names: strings.NewReplacer()}
	inherited := make([]*os.File, recipe.SidecarFD+len(a.Plan.Sidecars)-firstFD)
	defer func() {
		for _, file := range inherited {
			if file != nil && file != f.work { // the hang check reads it
				file.Close()
			}
		}
	}()
	if err := f.openFiles(a.Plan, inherited); err != nil {
		return f, err
	}
	if len(a.Plan.First) > 0 {
		var err error
		if inherited[recipe.PassFD-firstFD], err = os.Open(a.Dir); err != nil {
			return f, err
		}
	}
	args, err := f.openEndpoints(&a.Plan)
	if err != nil {
		return f, err
	}
	if a.Plan.Playlist != "" {
		if inherited[recipe.PlaylistFD-firstFD], err = inMemory(a.Plan.Playlist); err != nil {
			return f, err
		}
	}
	f.names = strings.NewReplacer(f.aliases...)
	f.limit(a)
	f.cmd = exec.Command(a.FFmpeg, args...)
	f.cmd.Dir = "/"
	f.cmd.Env = append(confine.Environment(), marker(a.Dir), "AV_LOG_FORCE_NOCOLOR=1")
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if f.cgroup != nil {
		f.cmd.SysProcAttr.UseCgroupFD, f.cmd.SysProcAttr.CgroupFD = true, int(f.cgroup.dir.Fd())
	}
	f.cmd.ExtraFiles = inherited
	return f, f.start()
}

// openFiles opens input, work file and options under the numbers of the plan.
func (f *ffmpeg) openFiles(p recipe.Plan, inherited []*os.File) error {
	at := func(fd int) **os.File { return &inherited[fd-firstFD] }
	var err error
	if p.Input != nil {
		if *at(recipe.InputFD), err = media.Open(*p.Input); err != nil {
			return failure.Errorf(ffrtmp.InputError, "input: %w", err)
		}
		if f.input, err = (*at(recipe.InputFD)).Stat(); err != nil {
			return failure.Errorf(ffrtmp.InputError, "input: %w", err)
		}
		if p.Final != nil {
			if err := media.CheckNotInput(*p.Final, f.input); err != nil {
				return err
			}
		}
		f.aliases = append(f.aliases, fmt.Sprintf("file:/proc/self/fd/%d", recipe.InputFD), p.Input.Path())
	}
	if p.Picture != nil {
		if *at(recipe.PictureFD), err = media.Open(*p.Picture); err != nil {
			return failure.Errorf(ffrtmp.InputError, "picture: %w", err)
		}
		f.aliases = append(f.aliases, fmt.Sprintf("file:/proc/self/fd/%d", recipe.PictureFD), p.Picture.Path())
	}
	if p.Mark != nil {
		if *at(recipe.WatermarkFD), err = media.Open(*p.Mark); err != nil {
			return failure.Errorf(ffrtmp.InputError, "watermark.image: %w", err)
		}
		f.aliases = append(f.aliases, fmt.Sprintf("/proc/self/fd/%d", recipe.WatermarkFD), p.Mark.Path())
	}
	if p.Final != nil {
		if err := media.CheckFree(*p.Final, p.Owner); err != nil {
			return err
		}
	}
	if p.Work != nil {
		if f.work, err = media.Create(*p.Work); err != nil {
			return failure.Errorf(ffrtmp.OutputError, "output: %w", err)
		}
		*at(recipe.OutputFD) = f.work
		f.aliases = append(f.aliases, fmt.Sprintf("file:/proc/self/fd/%d", recipe.OutputFD), p.Final.Path())
	}
	if err := f.openSidecars(p, inherited[recipe.SidecarFD-firstFD:]); err != nil {
		return err
	}
	if p.Options != "" {
		if *at(recipe.OptionsFD), err = inMemory(p.Options); err != nil {
			return err
		}
	}
	return nil
}

// openSidecars creates the work files of the sidecars, whose names must be free.
func (f *ffmpeg) openSidecars(p recipe.Plan, inherited []*os.File) error {
	for i, s := range p.Sidecars {
		err := media.CheckFree(s.Final, p.Owner)
		if err == nil && f.input != nil {
			err = media.CheckNotInput(s.Final, f.input)
		}
		if err != nil {
			return err
		}
		if inherited[i], err = media.Create(s.Work); err != nil {
			return failure.Errorf(ffrtmp.OutputError, "output: %w", err)
		}
		f.aliases = append(f.aliases, fmt.Sprintf("file:/proc/self/fd/%d", recipe.SidecarFD+i), s.Final.Path())
	}
	return nil
}

// inMemory returns a file that has no name.
func inMemory(content string) (*os.File, error) {
	fd, err := unix.MemfdCreate("options", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd: %w", err)
	}
	file := os.NewFile(uintptr(fd), "options")
	if _, err := file.WriteString(content); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// openEndpoints opens the endpoints. It returns the arguments, and completes the playlist, with their addresses.
func (f *ffmpeg) openEndpoints(p *recipe.Plan) ([]string, error) {
	args := append([]string(nil), p.Args...)
	for placeholder, url := range map[string]string{recipe.SourceAddress: p.Source, recipe.TargetAddress: p.Target} {
		if url == "" {
			continue
		}
		e, err := proxy.Open(url, placeholder == recipe.TargetAddress)
		if err != nil {
			return nil, err
		}
		f.endpoints = append(f.endpoints, e)
		f.aliases = append(f.aliases, e.Alias()...)
		for i := range args {
			if args[i] == placeholder {
				args[i] = e.Address()
			}
		}
		p.Playlist = strings.ReplaceAll(p.Playlist, placeholder, e.Address())
	}
	return args, nil
}

func (f *ffmpeg) endpointErr() error {
	for _, e := range f.endpoints {
		if err := e.Err(); err != nil {
			return err
		}
	}
	return nil
}

// limit creates the cgroup of a job with limits. A job whose limits cannot be
// enforced runs without them, and its log says so.
func (f *ffmpeg) limit(a Config) {
	if a.Limits.MaxCPUPercent == 0 && a.Limits.MaxMemoryMB == 0 {
		return
	}
	var err error
	if f.cgroup, err = newCgroup(a.Name, a.Limits); err != nil {
		f.cgroup = nil
		f.notes = append(f.notes, fmt.Sprintf("max_cpu_percent and max_memory_mb are not enforced on this node: %v",
			err))
	}
}

// start starts the process and a goroutine that ends with it. The goroutine keeps
// its thread: priorities belong to threads, and the kernel sends the death signal
// when the thread that forked ends, not the process.
func (f *ffmpeg) start() error {
	stdin, ourStdin, err := os.Pipe()
	if err != nil {
		return err
	}
	f.stdin = ourStdin
	defer stdin.Close()
	ourStderr, stderr, err := os.Pipe()
	if err != nil {
		return err
	}
	f.stderr = ourStderr
	defer stderr.Close()
	ourProgress, progress, err := os.Pipe()
	if err != nil {
		return err
	}
	f.progress = ourProgress
	defer progress.Close()
	f.cmd.Stdin, f.cmd.Stderr, f.cmd.ExtraFiles[recipe.ProgressFD-firstFD] = stdin, stderr, progress
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := confine.Thread()
		if err == nil {
			err = f.launch()
		}
		if err == nil {
			f.identity, err = identify(f.cmd.Process.Pid)
		}
		started <- err
		if f.cmd.Process != nil {
			f.wait()
		}
		close(f.ended)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", f.cmd.Path, err)
	}
	return nil
}

// launch starts the process, in its cgroup if the kernel allows it.
func (f *ffmpeg) launch() error {
	err := f.cmd.Start()
	if err == nil || f.cgroup == nil || errors.Is(err, os.ErrNotExist) {
		return err
	}
	f.notes = append(f.notes, fmt.Sprintf("max_cpu_percent and max_memory_mb are not enforced on this node: %v", err))
	_ = f.cgroup.close() // a leftover empty directory costs nothing
	f.cgroup = nil
	attributes := *f.cmd.SysProcAttr
	attributes.UseCgroupFD = false
	f.cmd = &exec.Cmd{
		Path: f.cmd.Path, Args: f.cmd.Args, Env: f.cmd.Env, Dir: f.cmd.Dir,
		Stdin: f.cmd.Stdin, Stderr: f.cmd.Stderr, ExtraFiles: f.cmd.ExtraFiles, SysProcAttr: &attributes,
	}
	return f.cmd.Start()
}

// wait returns when ffmpeg and its process group have ended. It kills the group
// before it reaps ffmpeg, so that the group's number cannot be reused.
func (f *ffmpeg) wait() {
	pid := f.cmd.Process.Pid
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	f.signal(unix.SIGKILL)
	// The exit status is in the state; a Wait error says no more.
	_ = f.cmd.Wait()
	f.state = f.cmd.ProcessState
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for unix.Kill(-pid, 0) == nil {
		// Orphans of the group are this process's children now.
		for {
			if reaped, err := unix.Wait4(-pid, nil, unix.WNOHANG, nil); err != nil || reaped == 0 {
				break
			}
		}
		<-ticker.C
	}
}

// signal sends to the whole group. One that never came to be, or has ended by
// itself, is no error.
func (f *ffmpeg) signal(sig unix.Signal) {
	if f.cmd != nil && f.cmd.Process != nil {
		_ = unix.Kill(-f.cmd.Process.Pid, sig)
	}
}

// quit asks ffmpeg to end as a user at its terminal would; a stopped one must be
// continued first.
func (f *ffmpeg) quit() {
	f.signal(unix.SIGCONT)
	_ = f.stdin.SetWriteDeadline(time.Now().Add(tick))
	_, _ = io.WriteString(f.stdin, "q") // signals end one that does not read
}

// escalate sends the next signal and returns when to send the one after it.
func (f *ffmpeg) escalate(next time.Duration) <-chan time.Time {
	if f.killing {
		f.signal(unix.SIGKILL)
		return nil
	}
	f.killing = true
	f.signal(unix.SIGTERM)
	return time.After(next)
}

func (f *ffmpeg) maxRSS() int64 {
	if usage, ok := f.state.SysUsage().(*syscall.Rusage); ok {
		return usage.Maxrss << 10
	}
	return 0
}

// abort ends an ffmpeg whose start failed.
func (f *ffmpeg) abort() {
	f.signal(unix.SIGKILL)
	if f.cmd != nil && f.cmd.Process != nil {
		<-f.ended
	}
}

// close frees all resources. The process has ended.
func (f *ffmpeg) close() {
	for _, e := range f.endpoints {
		e.Close()
	}
	for _, file := range []*os.File{f.stdin, f.progress, f.stderr, f.work} {
		if file != nil {
			file.Close()
		}
	}
	if f.cgroup != nil {
		_ = f.cgroup.close() // a leftover empty directory costs nothing
	}
}
