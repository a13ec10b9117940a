package supervisor

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// identity names a process uniquely. A pid alone is reused, also after a reboot.
type identity struct {
	PID    int    `json:"pid"`
	Start  uint64 `json:"start"` // clock ticks from boot, field 22 of /proc/PID/stat
	BootID string `json:"boot_id"`
}

// identify returns the identity of a running process.
func identify(pid int) (identity, error) {
	s, err := readStat(pid)
	if err != nil {
		return identity{}, err
	}
	boot, err := bootID()
	if err != nil {
		return identity{}, err
	}
	return identity{PID: pid, Start: s.start, BootID: boot}, nil
}

func bootID() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(data)), err
}

// alive reports whether this very process runs; a zombie does not.
func (id identity) alive() (bool, error) {
	boot, err := bootID()
	if err != nil || boot != id.BootID {
		return false, err
	}
	s, err := readStat(id.PID)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return false, nil
	}
	return err == nil && s.start == id.Start && s.state != 'Z' && s.state != 'X', err
}

// kill ends this very process, never another one that has its pid now.
func (id identity) kill() error {
	p, err := os.FindProcess(id.PID) // holds the process, not the number
	if err != nil {
		return err
	}
	defer func() { _ = p.Release() }() // fails only when already released
	if alive, err := id.alive(); err != nil || !alive {
		return err
	}
	if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// stat is a part of /proc/PID/stat.
type stat struct {
	state byte
	group int
	start uint64
	cpu   time.Duration // user and system time, with children that have ended
}

// clockTick is the unit of times in /proc: USER_HZ is 100 on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

func readStat(pid int) (stat, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	// The name is in parentheses and may contain anything, also parentheses.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields))
	}
	s := stat{state: fields[0][0]}
	var errs [6]error
	s.group, errs[0] = strconv.Atoi(fields[2])
	s.start, errs[1] = strconv.ParseUint(fields[19], 10, 64)
	for i, field := range fields[11:15] {
		var ticks int64
		ticks, errs[2+i] = strconv.ParseInt(field, 10, 64)
		s.cpu += time.Duration(ticks) * clockTick
	}
	return s, errors.Join(errs[:]...)
}

// marker is in the environment of every process that a supervisor starts.
func marker(dir string) string { return "FFRTMP_ATTEMPT_DIR=" + dir }

// sweep kills processes that carry the directory's marker and are not older than the
// supervisor. The kernel ends ffmpeg together with its supervisor; sweep finds what
// ffmpeg may have started.
func sweep(dir string, supervisor identity) error {
	boot, err := bootID()
	if err != nil || boot != supervisor.BootID {
		return err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// A process that has ended, or that we may not inspect, is not ours.
		id, err := identify(pid)
		if err != nil || id.Start < supervisor.Start {
			continue
		}
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || !bytes.Contains(environ, []byte(marker(dir)+"\x00")) {
			continue
		}
		if err := id.kill(); err != nil {
			return err
		}
	}
	return nil
}
