package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// readyFD is where a supervisor reports its start to the agent: one line, readyAnswer
// or an error's text.
const (
	readyFD     = 3
	readyAnswer = "ready"
)

// Main is the supervisor's process, `agent supervise DIR`. It returns the exit status
// once ffmpeg has ended and its end is on disk.
func Main(dir string) int {
	// Caught and dropped: ffmpeg would inherit ignored signals.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT)
	ready := os.NewFile(readyFD, "ready")
	err := supervise(dir, func() {
		// If the agent has died, the next one reads the files.
		_, _ = fmt.Fprintln(ready, readyAnswer)
		ready.Close()
	})
	if err != nil {
		_, _ = fmt.Fprintln(ready, err)
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// errStarted is the error of a second supervisor of one attempt.
var errStarted = errors.New("attempt was already started")

func supervise(dir string, ready func()) error {
	a, err := readConfig(dir)
	if err != nil {
		return err
	}
	// Orphans of ffmpeg become children of this process, which can then wait for them.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("child subreaper: %w", err)
	}
	self, err := identify(os.Getpid())
	if err != nil {
		return err
	}
	if err := saveOnce(dir, supervisorFile, self); errors.Is(err, fs.ErrExist) {
		return errStarted
	} else if err != nil {
		return err
	}
	control, err := listenControl(dir)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	defer control.listener.Close()
	r, err := newRun(a, control.requests)
	if err != nil {
		return err
	}
	exit := r.do(ready)
	if err := sweep(dir, self); err != nil {
		return err
	}
	if err := saveOnce(dir, exitFile, exit); err != nil {
		return err
	}
	close(control.ended)
	return errors.Join(r.close(), os.Remove(filepath.Join(dir, controlSocket)))
}

func readConfig(dir string) (Config, error) {
	var a Config
	found, err := load(dir, configFile, &a)
	if err == nil && !found {
		err = fmt.Errorf("%s: %w", filepath.Join(dir, configFile), fs.ErrNotExist)
	}
	a.Dir = dir
	return a, err
}
