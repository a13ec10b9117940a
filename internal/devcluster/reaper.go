package devcluster

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// A cluster's processes have a temporary directory of their own, which no other process uses. It is in their environment,
// and so in that of all their descendants, which marks them: agents start supervisors of ffmpeg in sessions of their own,
// where neither process groups nor parents lead to them once the agent is dead. (Agents hand on little of their
// environment. TMPDIR is among it.)
func markOf(tmp string) string { return "TMPDIR=" + tmp }

// killMarked kills every process with the mark in its environment, until there is none left.
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
			return fmt.Errorf("%d processes of the cluster survive SIGKILL", left)
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
		// The handle is taken before the look, so that the signal cannot reach a later process of the same id.
		process, err := os.FindProcess(pid)
		if err != nil {
			continue
		}
		env, err := os.ReadFile(filepath.Join(dir, "environ")) // empty for zombies, refused for other users' processes
		if err == nil && bytes.Contains(append([]byte{0}, env...), entry) {
			found++
			_ = process.Kill() // one that is gone already is not found the next time
		}
		_ = process.Release()
	}
	return found, nil
}
