//go:build chaos

package e2e

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

var starvedFlag = flag.Duration("starved", 5*time.Minute, "how long TestChaos_StarvedMasters runs")

// busyPerCore is how many busy processes share a core with the masters.
const busyPerCore = 16

// cpuGroup makes a control group that has the CPU time of one core, so that what runs in it starves and the rest of the
// machine does not. It returns the number of its cores: all of the machine's, and no group, where none can be made.
func cpuGroup(t *testing.T) (add func(pid int), cores int) {
	t.Helper()
	name := "ffrtmp-test-" + strconv.Itoa(os.Getpid())
	for root, settings := range map[string]map[string]string{
		"/sys/fs/cgroup/cpu": {"cpu.cfs_quota_us": "100000", "cpu.shares": "40960"}, // version 1
		"/sys/fs/cgroup":     {"cpu.max": "100000 100000", "cpu.weight": "4000"},
	} {
		dir := filepath.Join(root, name)
		if os.Mkdir(dir, 0o700) != nil {
			continue
		}
		t.Cleanup(func() { // the processes have ended
			if err := os.Remove(dir); err != nil {
				t.Log(err)
			}
		})
		var err error
		for file, value := range settings { // the weight gives it that core on a busy machine, too
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, file), []byte(value), 0o600))
		}
		if err == nil {
			return func(pid int) {
				t.Helper()
				err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o600)
				if err != nil {
					t.Fatal(err)
				}
			}, 1
		}
	}
	return func(int) {}, runtime.NumCPU()
}

// busy starts processes that do nothing but use a CPU.
func busy(t *testing.T, n int) (pids []int) {
	t.Helper()
	for range n {
		cmd := exec.Command("sh", "-c", "while :; do :; done")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		pids = append(pids, cmd.Process.Pid)
	}
	return pids
}

// elections counts how often a master has begun to lead.
func (s *site) elections() (n int) {
	s.t.Helper()
	for _, m := range s.Masters() {
		log, err := os.ReadFile(m.LogPath())
		s.must(err)
		n += strings.Count(string(log), "entering leader state")
	}
	return n
}

// Masters that share their CPU with 16 busy processes a core, at the same priority, hardly ever change leaders: at most
// three times in five minutes, with no write gap over 5 s. Nothing is lost. When it is calm they detect as fast as
// ever.
func TestChaos_StarvedMasters(t *testing.T) {
	add, cores := cpuGroup(t)
	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	w := s.write(2, "starved")
	w.more(50)
	for _, m := range s.Masters() {
		add(m.PID())
	}
	before, began := s.elections(), time.Now()
	hogs := busy(t, busyPerCore*cores)
	for _, pid := range hogs {
		add(pid)
	}
	written := w.count()
	for time.Since(began) < *starvedFlag {
		time.Sleep(10 * time.Second)
		t.Logf("%s: %d leader changes, %d writes, longest gap %s", time.Since(began).Round(time.Second),
			s.elections()-before, w.count()-written, w.gap(began))
	}
	changes, gap := s.elections()-before, w.gap(began)
	if changes > 3 || gap > 5*time.Second {
		t.Errorf("got %d leader changes and a write gap of %s, want at most 3 and 5 s", changes, gap)
	}
	for _, pid := range hogs {
		s.must(syscall.Kill(pid, syscall.SIGKILL))
	}
	t.Logf("as fast as ever after %s", s.calm())
	w.verify()
}

// metric returns a master's.
func (s *site) metric(m *devcluster.Master, name string) float64 {
	s.t.Helper()
	all, _ := s.metricsOf(m.MetricsURL())
	value, err := strconv.ParseFloat(all[name], 64)
	s.must(err)
	return value
}

// calm waits until every master detects as fast as ever, and returns how long that took.
func (s *site) calm() time.Duration {
	s.t.Helper()
	return s.within(4*time.Minute, "every master detects as fast as ever", func() bool {
		return !slices.ContainsFunc(s.Masters(), func(m *devcluster.Master) bool {
			return s.metric(m, "ffmpeg_master_raft_heartbeat_timeout_seconds") > 0.5
		})
	})
}

// On a quiet machine a frozen leader is replaced within 2 s, and a killed one within a fraction of that. Leaders that
// are frozen one after the other lengthen the timeouts for a while.
func TestChaos_LeaderReplaced(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	for name, limit := range map[string]time.Duration{"frozen": 2 * time.Second, "killed": 500 * time.Millisecond} {
		var gaps []time.Duration
		for range 5 {
			s.voters(3)
			s.calm()
			w := s.write(2, name)
			w.more(50)
			leader := s.Master(s.leader())
			began := time.Now()
			if name == "frozen" {
				s.must(leader.Signal(syscall.SIGSTOP))
			} else {
				leader.Kill()
			}
			s.eventually("another leads", func() bool {
				return slices.ContainsFunc(s.Masters(), func(m *devcluster.Master) bool {
					return m != leader && s.metric(m, "ffmpeg_master_raft_is_leader") == 1
				})
			})
			gaps = append(gaps, time.Since(began))
			if name == "frozen" {
				s.must(leader.Signal(syscall.SIGCONT))
			} else {
				s.restart(leader)
			}
			w.more(50)
			w.Stop()
		}
		slices.Sort(gaps)
		t.Logf("%s: another leads after %s", name, gaps)
		if gaps[len(gaps)-1] > limit {
			t.Errorf("%s: got a new leader after %s, want at most %s", name, gaps[len(gaps)-1], limit)
		}
	}
}
