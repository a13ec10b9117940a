package probe

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// Facts describe a machine when it registers.
type Facts struct {
	CPUModel      string
	CPUThreads    int // that this process may use
	RAMTotalBytes int64
	VAAPIDevice   string // "" when there is none
}

// GPU describes a machine's GPU.
type GPU struct {
	Has          bool // a hardware encoder works
	Type         string
	Capabilities []string // the hardware encoders that work
}

// Machine returns the facts of this machine.
func Machine() (Facts, error) {
	f := Facts{CPUThreads: runtime.NumCPU(), VAAPIDevice: vaapiDevice()}
	var err error
	// ARM has no model name; use the architecture.
	if f.CPUModel, err = field("/proc/cpuinfo", "model name"); err != nil {
		return Facts{}, err
	}
	if f.CPUModel == "" {
		f.CPUModel = runtime.GOARCH
	}
	total, err := field("/proc/meminfo", "MemTotal")
	if err != nil {
		return Facts{}, err
	}
	kib, err := strconv.ParseInt(strings.TrimSuffix(total, " kB"), 10, 64)
	if err != nil {
		return Facts{}, fmt.Errorf("/proc/meminfo: MemTotal: %w", err)
	}
	f.RAMTotalBytes = kib << 10
	return f, nil
}

// GPUOf returns the GPU of a machine on which these encoders work. One without a working encoder does not count.
func GPUOf(encoders []string) GPU {
	var g GPU
	for _, encoder := range encoders {
		for suffix, kind := range map[string]string{"_nvenc": "nvidia", "_qsv": "intel", "_vaapi": "vaapi"} {
			if strings.HasSuffix(encoder, suffix) {
				g.Has = true
				g.Capabilities = append(g.Capabilities, encoder)
				if g.Type == "" {
					g.Type = kind
				}
			}
		}
	}
	return g
}

// field returns the value of the first line "name : value" of a file, or "".
func field(path, name string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		if k, v, ok := strings.Cut(scanner.Text(), ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v), nil
		}
	}
	return "", scanner.Err()
}

func gpuDevices() []string {
	var devices []string
	for _, pattern := range []string{"/dev/nvidia[0-9]*", "/dev/dri/renderD*"} {
		found, _ := filepath.Glob(pattern) // fails on a bad pattern only
		devices = append(devices, found...)
	}
	return devices
}

func vaapiDevice() string {
	for _, device := range gpuDevices() {
		if strings.HasPrefix(device, "/dev/dri/") {
			return device
		}
	}
	return ""
}
