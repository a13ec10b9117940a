package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/devcluster"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// program is one run of a program in its own directory, with only the given environment.
type program struct {
	cmd    *exec.Cmd
	output *testkit.Buffer
	ended  chan struct{}
}

// launch starts a program in dir. The test's end stops it.
func launch(t *testing.T, dir string, env []string, name string, args ...string) *program {
	t.Helper()
	return launchFile(t, dir, env, filepath.Join(shared.bin, name), args...)
}

// launchFile is launch for a program elsewhere.
func launchFile(t *testing.T, dir string, env []string, file string, args ...string) *program {
	t.Helper()
	p := &program{
		cmd:    exec.Command(file, args...),
		output: &testkit.Buffer{},
		ended:  make(chan struct{}),
	}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, p.output, p.output
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // its status is read from ProcessState
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s %q printed:\n%s", filepath.Base(file), args, p.output)
		}
	})
	return p
}

func (p *program) kill() {
	select {
	case <-p.ended:
	default:
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// status waits for the end and returns the exit status.
func (p *program) status(t *testing.T) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-ctx.Done():
		t.Fatalf("still running, output:\n%s", p.output)
		return 0
	}
}

// freePort reserves a port for the test: a released one could be taken before the program
// listens.
func freePort(t *testing.T) string {
	t.Helper()
	port, release, err := devcluster.ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return strconv.Itoa(port)
}

// openPorts lists the ports that a process listens on, as tcp/8080 or udp/7946.
func openPorts(t *testing.T, pid int) []string {
	t.Helper()
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	descriptors, err := filepath.Glob(filepath.Join(proc, "fd", "*"))
	if err != nil {
		t.Fatal(err)
	}
	sockets := map[string]bool{} // by inode
	for _, fd := range descriptors {
		target, err := os.Readlink(fd)
		if err == nil && strings.HasPrefix(target, "socket:[") {
			sockets[strings.Trim(target, "socket:[]")] = true
		}
	}
	var ports []string
	for _, protocol := range []string{"tcp", "tcp6", "udp", "udp6"} {
		data, err := os.ReadFile(filepath.Join(proc, "net", protocol))
		if errors.Is(err, os.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
			const listening = "0A"
			f := strings.Fields(line)
			local, state, inode := f[1], f[3], f[9]
			if !sockets[inode] || strings.HasPrefix(protocol, "tcp") && state != listening {
				continue
			}
			port, err := strconv.ParseUint(local[strings.LastIndexByte(local, ':')+1:], 16, 16)
			if err != nil {
				t.Fatal(err)
			}
			ports = append(ports, strings.TrimSuffix(protocol, "6")+"/"+strconv.FormatUint(port, 10))
		}
	}
	return ports
}

// process is a process in /proc that is not a zombie.
type process struct {
	pid   int
	name  string
	state byte // R, S, D, T…
	group int
}

// processes lists the processes for which fits holds.
func processes(t *testing.T, fits func(dir string) bool) []process {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var list []process
	for _, dir := range dirs {
		if !fits(dir) {
			continue
		}
		if p, ok := readProcess(dir); ok {
			list = append(list, p)
		}
	}
	return list
}

// readProcess is false for a process that has ended.
func readProcess(dir string) (process, bool) {
	data, err := os.ReadFile(filepath.Join(dir, "stat"))
	end := bytes.LastIndexByte(data, ')')
	if err != nil || end < 0 {
		return process{}, false
	}
	pid, name, _ := strings.Cut(string(data[:end]), " (")
	fields := strings.Fields(string(data[end+1:]))
	p := process{name: name, state: fields[0][0]}
	var errs [2]error
	p.pid, errs[0] = strconv.Atoi(pid)
	p.group, errs[1] = strconv.Atoi(fields[2])
	return p, errors.Join(errs[:]...) == nil && p.state != 'Z' && p.state != 'X'
}

// mentions reports whether a file contains the text.
func mentions(path, text string) bool {
	data, err := os.ReadFile(path)
	return err == nil && bytes.Contains(data, []byte(text))
}

// ffmpegs returns the processes of an agent's running encodes.
func (s *site) ffmpegs(a *devcluster.Agent) []process {
	s.t.Helper()
	return processes(s.t, func(dir string) bool {
		return mentions(filepath.Join(dir, "environ"), "FFRTMP_ATTEMPT_DIR="+a.StateDir()+"/")
	})
}

// ffmpeg returns the agent's only running encode.
func (s *site) ffmpeg(a *devcluster.Agent) process {
	s.t.Helper()
	list := s.ffmpegs(a)
	if len(list) != 1 || list[0].name != "ffmpeg" {
		s.t.Fatalf("%s: got encodes %+v, want one ffmpeg", a.Name(), list)
	}
	return list[0]
}

// killMachine kills an agent and all its processes, like a power cut. It returns the number of
// killed processes besides the agent.
func (s *site) killMachine(a *devcluster.Agent) int {
	s.t.Helper()
	a.Kill()
	left := func() []process {
		supervisors := processes(s.t, func(dir string) bool {
			return mentions(filepath.Join(dir, "cmdline"), "supervise\x00"+a.StateDir()+"/")
		})
		return append(supervisors, s.ffmpegs(a)...)
	}
	found := len(left())
	s.eventually("all processes of "+a.Name()+" are gone", func() bool {
		list := left()
		for _, p := range list {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
		return len(list) == 0
	})
	return found
}
