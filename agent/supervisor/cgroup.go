package supervisor

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ffrtmp/ffrtmp"
)

// cgroup limits ffmpeg's processor time and memory with cgroup version 2. We have our
// own code because three files with one number each are all that is written: the
// libraries (containerd/cgroups, runc's libcontainer) bring systemd over D-Bus, eBPF
// and version 1, and moving the agent into a leaf would still be ours to do.
type cgroup struct {
	path string
	dir  *os.File
}

// agentLeaf is the cgroup that the agent and its supervisors move to: version 2
// allows processes only in leaves of the tree.
const agentLeaf = "ffrtmp-agent"

// cpuPeriod is the kernel's default, in microseconds.
const cpuPeriod = 100_000

// newCgroup creates a cgroup below the agent's. It fails where the agent may not
// manage its own cgroup (systemd: Delegate=yes).
func newCgroup(name string, limits ffrtmp.ResourceLimits) (*cgroup, error) {
	parent, err := ownCgroup()
	if err != nil {
		return nil, err
	}
	return newCgroupBelow(parent, name, limits)
}

// ownCgroup returns the directory of this process's cgroup, without agentLeaf.
func ownCgroup() (string, error) {
	var mount string
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			mount = f[1]
			break
		}
	}
	if mount == "" {
		return "", errors.New("cgroup version 2 is not mounted")
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(own)) {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			dir := filepath.Join(mount, strings.TrimSpace(path))
			if filepath.Base(dir) == agentLeaf {
				dir = filepath.Dir(dir)
			}
			return dir, nil
		}
	}
	return "", errors.New("this process is not in a version 2 cgroup")
}

func newCgroupBelow(parent, name string, limits ffrtmp.ResourceLimits) (_ *cgroup, err error) {
	if err := delegate(parent); err != nil {
		return nil, err
	}
	g := &cgroup{path: filepath.Join(parent, "ffrtmp-"+name)}
	if err := os.Mkdir(g.path, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(g.path))
		}
	}()
	if limits.MaxCPUPercent > 0 {
		if err := g.write("cpu.max", fmt.Sprintf("%d %d", limits.MaxCPUPercent*cpuPeriod/100, cpuPeriod)); err != nil {
			return nil, err
		}
	}
	if limits.MaxMemoryMB > 0 {
		if err := g.write("memory.max", strconv.Itoa(limits.MaxMemoryMB<<20)); err != nil {
			return nil, err
		}
		// Else ffmpeg would move to swap instead; a kernel without swap has no such file.
		if err := g.write("memory.swap.max", "0"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	g.dir, err = os.Open(g.path)
	return g, err
}

// delegate enables limits of processor and memory for children of parent. Processes
// in parent itself first move to a leaf.
func delegate(parent string) error {
	enabled, err := os.ReadFile(filepath.Join(parent, "cgroup.subtree_control"))
	if err != nil {
		return err
	}
	if on := strings.Fields(string(enabled)); slices.Contains(on, "cpu") && slices.Contains(on, "memory") {
		return nil
	}
	available, err := os.ReadFile(filepath.Join(parent, "cgroup.controllers"))
	if err != nil {
		return err
	}
	if has := strings.Fields(string(available)); !slices.Contains(has, "cpu") || !slices.Contains(has, "memory") {
		return fmt.Errorf("%s: no cpu and memory controllers", parent)
	}
	enable := func() error {
		return writeControl(filepath.Join(parent, "cgroup.subtree_control"), "+cpu +memory")
	}
	if err := enable(); !errors.Is(err, unix.EBUSY) {
		return err
	}
	leaf := filepath.Join(parent, agentLeaf)
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	procs, err := os.ReadFile(filepath.Join(parent, "cgroup.procs"))
	if err != nil {
		return err
	}
	for _, pid := range strings.Fields(string(procs)) {
		if err := writeControl(filepath.Join(leaf, "cgroup.procs"), pid); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return enable()
}

func writeControl(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

func (g *cgroup) write(file, value string) error {
	return writeControl(filepath.Join(g.path, file), value)
}

// outOfMemory reports whether the kernel has killed a process of the cgroup.
func (g *cgroup) outOfMemory() bool {
	f, err := os.Open(filepath.Join(g.path, "memory.events"))
	if err != nil {
		return false
	}
	defer f.Close()
	for scanner := bufio.NewScanner(f); scanner.Scan(); {
		if n, ok := strings.CutPrefix(scanner.Text(), "oom_kill "); ok {
			return n != "0"
		}
	}
	return false
}

// close removes the cgroup, which must be empty.
func (g *cgroup) close() error { return errors.Join(g.dir.Close(), os.Remove(g.path)) }
