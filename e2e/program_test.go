package e2e

import (
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
	p := &program{
		cmd:    exec.Command(filepath.Join(shared.bin, name), args...),
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
			t.Logf("%s %q printed:\n%s", name, args, p.output)
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
