package supervisor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/media"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// The test binary is also the agent's: a supervisor, or an agent that starts one
// and waits to be killed.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 {
		switch os.Args[1] {
		case "supervise":
			os.Exit(Main(os.Args[2]))
		case "agent":
			os.Exit(doomedAgent(os.Args[2]))
		}
	}
	os.Exit(m.Run())
}

// doomedAgent starts the run of a directory, prints the error, and stays.
func doomedAgent(dir string) int {
	a, err := readConfig(dir)
	if err == nil {
		_, err = Start(context.Background(), a)
	}
	fmt.Fprintln(os.Stdout, err)
	select {}
}

// ctx returns a context for one wait; it also outlives the test's own context, for clean-ups.
func ctx(t *testing.T) context.Context {
	t.Helper()
	c, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	t.Cleanup(cancel)
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// small is a test pattern that costs next to nothing.
func small(seconds float64, mode ffrtmp.OutputMode) ffrtmp.Encoding {
	return ffrtmp.Encoding{
		Mode: mode, Width: 64, Height: 36, FPS: 10, Duration: seconds,
		Encoder: "libx264", Preset: "ultrafast", AudioEncoder: "aac", Threads: 1,
	}
}

func plan(t *testing.T, e ffrtmp.Encoding) recipe.Plan {
	t.Helper()
	roots, err := media.OpenRoots([]string{t.TempDir()})
	must(t, err)
	p, err := recipe.Build(e, recipe.Run{JobID: "job", Attempt: 1, Lease: "0123456789abcdef"}, roots,
		recipe.Machine{}, nil)
	must(t, err)
	return p
}

func realFFmpeg(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("ffmpeg")
	must(t, err)
	return path
}

// fakeFFmpeg is a shell script in ffmpeg's place.
func fakeFFmpeg(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ffmpeg")
	// A child that another test starts meanwhile would hold the file open for writing
	// until it executes; the start here would fail with "text file busy".
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	must(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755))
	return path
}

func attempt(t *testing.T, ffmpeg string, p recipe.Plan) Config {
	t.Helper()
	a := Config{Dir: t.TempDir(), Name: "job-1", FFmpeg: ffmpeg, Plan: p}
	t.Cleanup(func() { // whatever a test leaves behind
		if p, err := Find(a.Dir); err == nil {
			_, _ = p.Stop(context.Background())
		}
		// A panic or a data race of the supervisor's process shows there.
		if said, err := os.ReadFile(filepath.Join(a.Dir, stderrFile)); err == nil && len(said) > 0 {
			t.Errorf("supervisor: got output %s, want none", said)
		}
		if left := marked(t, a.Dir); len(left) > 0 {
			t.Errorf("got processes %v, want none", left)
		}
	})
	return a
}

func start(t *testing.T, a Config) *Process {
	t.Helper()
	p, err := Start(ctx(t), a)
	must(t, err)
	return p
}

func wait(t *testing.T, p *Process) Exit {
	t.Helper()
	e, err := p.Wait(ctx(t))
	must(t, err)
	return e
}

func state(t *testing.T, p *Process) State {
	t.Helper()
	s, err := p.State()
	must(t, err)
	return s
}

func logText(t *testing.T, p *Process) string {
	t.Helper()
	data, _, err := p.ReadLog(0, MaxLogBytes)
	must(t, err)
	return string(data)
}

func ffmpegIdentity(t *testing.T, dir string) identity {
	t.Helper()
	var id identity
	found, err := load(dir, ffmpegFile, &id)
	must(t, err)
	if !found {
		t.Fatal("got no ffmpeg, want one started")
	}
	return id
}

// marked lists the running processes of an attempt, as "pid name".
func marked(t *testing.T, dir string) []string {
	t.Helper()
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	must(t, err)
	var list []string
	for _, path := range environs {
		data, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(data), marker(dir)+"\x00") {
			continue
		}
		cmdline, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		list = append(list, strings.ReplaceAll(string(cmdline), "\x00", " "))
	}
	return list
}

func fileMode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	return info.Mode()
}

var eventually = testkit.Eventually
