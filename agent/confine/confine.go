// Package confine starts ffmpeg and ffprobe with fewer rights than the agent: low
// priority, never real-time, no capabilities beyond reading and writing files, and
// none of the agent's secrets in the environment.
package confine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Niceness of ffmpeg: everything else on the machine has priority.
const Niceness = 10

// kept are the capabilities that a root agent passes on: an input may belong to
// another user. An agent without root has none to pass on.
const kept = 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH

// Start starts a command confined.
func Start(cmd *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := Thread()
		if err == nil {
			err = cmd.Start()
		}
		started <- err
	}()
	return <-started
}

// Thread confines the calling thread and what it starts. The caller has locked the
// thread and never unlocks it. Encoders such as SVT-AV1 take real-time priority
// wherever they may, and would starve everything else on the machine.
func Thread() error {
	for _, resource := range []int{unix.RLIMIT_RTPRIO, unix.RLIMIT_NICE} { // of the whole process, which needs neither
		if err := unix.Setrlimit(resource, &unix.Rlimit{}); err != nil {
			return fmt.Errorf("limit priority: %w", err)
		}
	}
	batch := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_BATCH, Nice: Niceness}
	if err := unix.SchedSetAttr(0, &batch, 0); err != nil {
		return fmt.Errorf("lower priority: %w", err)
	}
	if err := dropCapabilities(); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	return nil
}

// dropCapabilities takes all but the kept capabilities from the thread and from
// programs that it executes.
func dropCapabilities() error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	if err := dropBounding(); err != nil {
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	data[0] = unix.CapUserData{Effective: data[0].Effective & kept, Permitted: data[0].Permitted & kept}
	data[1] = unix.CapUserData{}
	return unix.Capset(&header, &data[0])
}

// dropBounding keeps root from regaining capabilities when it executes a program.
// Where the agent may not change that set, no program may gain any.
func dropBounding() error {
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if kept&(1<<c) != 0 {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		switch {
		case errors.Is(err, unix.EINVAL): // newer than the kernel
		case errors.Is(err, unix.EPERM) && os.Geteuid() != 0:
			return nil // programs of other users gain none
		case errors.Is(err, unix.EPERM):
			return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		case err != nil:
			return err
		}
	}
	return nil
}

// Environment returns the part of the agent's environment that ffmpeg and ffprobe
// need. It holds no secrets.
func Environment() []string {
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if passes(name) {
			env = append(env, entry)
		}
	}
	return env
}

// passed are names of variables, or prefixes where they end in "_".
var passed = []string{
	"PATH", "HOME", "LANG", "LC_", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "XDG_RUNTIME_DIR",
	"LIBVA_", "CUDA_", "NVIDIA_", "SSL_CERT_",
}

func passes(name string) bool {
	for _, p := range passed {
		if name == p || strings.HasSuffix(p, "_") && strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
