package agent

import (
	"bytes"
	"context"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// gauges are collected at every scrape.
type gauges struct{ agent *Agent }

var (
	runningDesc = gauge("jobs_running", "Attempts on this node.")
	unsentDesc  = gauge("unsent_results", "Results waiting for a master.")
	fpsDesc     = gauge("encode_fps", "Frames per second of all running encodes together.")
	speedDesc   = gauge("encode_speed", "Speed of the slowest running encode, as a multiple of real time; absent "+
		"when nothing runs.")
	cpuDesc = prometheus.NewDesc("ffmpeg_agent_cpu_seconds_total", "CPU time of the machine, without idle time.",
		nil, nil)
	memoryDesc = gauge("memory_available_bytes", "Memory available to programs.")
	gpuDesc    = gauge("gpu_utilization_ratio", "GPU utilization, 0 to 1.", "gpu")
)

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("ffmpeg_agent_"+name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{runningDesc, unsentDesc, fpsDesc, speedDesc, cpuDesc, memoryDesc, gpuDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. It omits what the machine does not report.
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	held := g.agent.slots.all()
	ch <- value(runningDesc, float64(len(held)))
	ch <- value(unsentDesc, float64(g.agent.outbox.unsent.Load()))
	// No labels by job: each job would leave a dead series behind.
	fps, slowest := 0.0, math.Inf(1)
	for _, at := range held {
		p := at.running()
		if p == nil {
			continue
		}
		if st, err := p.State(); err == nil && st.Running {
			fps += st.Progress.FPS
			slowest = min(slowest, st.Progress.Speed)
		}
	}
	ch <- value(fpsDesc, fps)
	if !math.IsInf(slowest, 1) {
		ch <- value(speedDesc, slowest)
	}
	if busy, ok := cpuSeconds(); ok {
		ch <- prometheus.MustNewConstMetric(cpuDesc, prometheus.CounterValue, busy)
	}
	if free, ok := memoryAvailable(); ok {
		ch <- value(memoryDesc, free)
	}
	for i, ratio := range gpuUtilization() {
		ch <- value(gpuDesc, ratio, strconv.Itoa(i))
	}
}

func value(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

// clockTicks is USER_HZ, in which /proc counts: 100 on every Linux that Go runs on.
const clockTicks = 100

// cpuSeconds reads the machine's CPU time from /proc/stat, see proc_stat(5).
func cpuSeconds() (float64, bool) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, false
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, false
	}
	var busy float64
	for i, f := range fields[1:9] {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return 0, false
		}
		if i != 3 && i != 4 { // idle, waiting for I/O
			busy += n
		}
	}
	return busy / clockTicks, true
}

func memoryAvailable() (float64, bool) {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kb * 1024, err == nil
		}
	}
	return 0, false
}

// gpuUtilization runs NVIDIA's tool, where it is installed.
func gpuUtilization() []float64 {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "nvidia-smi", "--query-gpu=utilization.gpu",
		"--format=csv,noheader,nounits").Output()
	if err != nil {
		return nil
	}
	var ratios []float64
	for line := range strings.Lines(string(out)) {
		if percent, err := strconv.ParseFloat(strings.TrimSpace(line), 64); err == nil {
			ratios = append(ratios, percent/100)
		}
	}
	return ratios
}
