package devcluster

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// The processes of a cluster have a temporary directory of their own. TMPDIR in their environment, which descendants
// inherit, marks them. Agents start supervisors of ffmpeg in new sessions: once an agent is dead, neither process
// groups nor parents lead to them. (Agents pass little of their environment to supervisors, but TMPDIR is part of it.)
func markOf(tmp string) string { return "TMPDIR=" + tmp }

// killMarked kills every process with the mark in its environment until none is left.
func killMarked(mark string) error {
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		left, err := signalMarked(mark)
		if err != nil || left == 0 {
			return err
		}
		select {
		case <-tick.C:
		case <-deadline:
			return fmt.Errorf("kill processes: %d survive SIGKILL", left)
		}
	}
}

func signalMarked(mark string) (found int, err error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	entry := []byte("\x00" + mark + "\x00")
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() {
			continue
		}
		// The handle is opened before the check, so the signal cannot reach a later process with the same id.
		process, err := os.FindProcess(pid)
		if err != nil {
			continue
		}
		env, err := os.ReadFile(filepath.Join(dir, "environ")) // empty for zombies, refused for other users' processes
		if err == nil && bytes.Contains(append([]byte{0}, env...), entry) {
			found++
			_ = process.Kill() // an ended process is not found the next time
		}
		_ = process.Release()
	}
	return found, nil
}
