package e2e

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

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
