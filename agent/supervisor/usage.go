package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage returns the input position of the process group, in the file or in bytes
// received through endpoints, and its CPU time. What the kernel does not show, for
// example of a process that has just ended, counts as 0.
func (f *ffmpeg) usage() (read int64, cpu time.Duration) {
	for _, e := range f.endpoints {
		read += e.Received()
	}
	processes, _ := filepath.Glob("/proc/[0-9]*") // fails on a bad pattern only
	for _, process := range processes {
		pid, err := strconv.Atoi(filepath.Base(process))
		if err != nil {
			continue
		}
		s, err := readStat(pid)
		if err != nil || s.group != f.cmd.Process.Pid {
			continue
		}
		cpu += s.cpu
		if f.input != nil {
			read += position(process, f.input)
		}
	}
	return read, cpu
}

// position returns where a process reads a file, summed over its descriptors.
func position(process string, file os.FileInfo) (sum int64) {
	descriptors, _ := filepath.Glob(process + "/fd/*") // fails on a bad pattern only
	for _, path := range descriptors {
		if open, err := os.Stat(path); err != nil || !os.SameFile(open, file) {
			continue
		}
		info, err := os.ReadFile(fmt.Sprintf("%s/fdinfo/%s", process, filepath.Base(path)))
		if err != nil {
			continue
		}
		value, _, _ := strings.Cut(strings.TrimPrefix(string(info), "pos:"), "\n")
		at, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64) // the kernel writes digits
		sum += at
	}
	return sum
}
