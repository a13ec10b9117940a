package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/confine"
)

// schedule is how the kernel schedules one thread.
type schedule struct {
	policy, nice, realTime int
}

// schedules reads every thread of a process, see proc_pid_stat(5).
func schedules(t *testing.T, pid int) (list []schedule) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	must(t, err)
	for _, path := range threads {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		number := func(field int) int { // as numbered there; the first field here is the third
			n, err := strconv.Atoi(fields[field-3])
			must(t, err)
			return n
		}
		list = append(list, schedule{policy: number(41), nice: number(19), realTime: number(40)})
	}
	return list
}

// SVT-AV1 takes real-time priority 99 wherever it may, as root does.
func TestRun_SchedulingClass(t *testing.T) {
	e := small(7200, ffrtmp.ToNull)
	e.Encoder, e.Preset, e.Width, e.Height = "libsvtav1", "10", 128, 128
	a := attempt(t, realFFmpeg(t), plan(t, e))
	run := start(t, a)
	eventually(t, "progress", func() bool { return state(t, run).Progress.Frame > 0 })
	pid := ffmpegIdentity(t, a.Dir).PID
	list := schedules(t, pid)
	if len(list) < 4 {
		t.Fatalf("got %d threads, want the encoder's as well", len(list))
	}
	for _, s := range list {
		if want := (schedule{policy: unix.SCHED_BATCH, nice: confine.Niceness}); s != want {
			t.Fatalf("got a thread with %+v, want %+v", s, want)
		}
	}
	var limit unix.Rlimit
	must(t, unix.Prlimit(pid, unix.RLIMIT_RTPRIO, nil, &limit))
	if limit.Cur != 0 || limit.Max != 0 {
		t.Errorf("got RLIMIT_RTPRIO %+v, want 0", limit)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		if name != "CapEff" && name != "CapPrm" && name != "CapAmb" {
			continue
		}
		set, err := strconv.ParseUint(value, 16, 64)
		must(t, err)
		if set&(1<<unix.CAP_SYS_NICE|1<<unix.CAP_SYS_ADMIN) != 0 {
			t.Errorf("got %s %s, want neither CAP_SYS_NICE nor CAP_SYS_ADMIN", name, value)
		}
	}
}
