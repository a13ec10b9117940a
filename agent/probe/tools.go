// Package probe tests which encoders of this machine work, and whether an output is
// what its job requested.
package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ffrtmp/ffrtmp/agent/confine"
)

// Tools are the programs that an agent runs.
type Tools struct {
	FFmpeg  string // absolute path
	FFprobe string // absolute path
	Version string // ffmpeg's first line
	Zscale  bool   // ffmpeg has this filter
}

const versionTimeout = 10 * time.Minute // a starved machine gives ffmpeg little time

// FindTools finds ffmpeg, by its path or in $PATH when that is "", and the ffprobe
// beside it or in $PATH.
func FindTools(ffmpeg string) (Tools, error) {
	if ffmpeg == "" {
		ffmpeg = "ffmpeg"
	}
	path, err := exec.LookPath(ffmpeg)
	if err != nil {
		return Tools{}, fmt.Errorf("find ffmpeg (--ffmpeg): %w", err)
	}
	t := Tools{}
	if t.FFmpeg, err = filepath.Abs(path); err != nil {
		return Tools{}, err
	}
	beside := filepath.Join(filepath.Dir(t.FFmpeg), "ffprobe")
	if path, err = exec.LookPath(beside); err != nil {
		if path, err = exec.LookPath("ffprobe"); err != nil {
			return Tools{}, fmt.Errorf("find ffprobe beside %s or in PATH: %w", t.FFmpeg, err)
		}
	}
	if t.FFprobe, err = filepath.Abs(path); err != nil {
		return Tools{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), versionTimeout)
	defer cancel()
	out, err := run(ctx, t.FFmpeg, "-hide_banner", "-version")
	if err != nil {
		return Tools{}, err
	}
	t.Version, _, _ = strings.Cut(string(out), "\n")
	out, err = run(ctx, t.FFmpeg, "-hide_banner", "-filters")
	t.Zscale = err == nil && strings.Contains(string(out), " zscale ")
	return t, nil
}

// run returns a program's standard output. When ctx ends it kills the program and its
// children. The error has the last line of standard error.
func run(ctx context.Context, program string, args ...string) ([]byte, error) {
	return finish(ctx, exec.CommandContext(ctx, program, args...))
}

func finish(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	cmd.Env = append(confine.Environment(), "AV_LOG_FORCE_NOCOLOR=1")
	err := confine.Start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return nil, errors.Join(ctx.Err(), &programError{filepath.Base(cmd.Path), stderr.String(), err})
	}
	return stdout.Bytes(), nil
}

// programError is the failure of a program with what it wrote to standard error.
type programError struct {
	program, stderr string
	err             error
}

// Error returns the last line of it.
func (e *programError) Error() string {
	lines := strings.Split(strings.TrimSpace(e.stderr), "\n")
	return fmt.Sprintf("%s: %v: %s", e.program, e.err, lines[len(lines)-1])
}

func (e *programError) Unwrap() error { return e.err }
