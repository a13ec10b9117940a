package supervisor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// A plain directory shows what is written; only a real cgroup enforces it.
func TestCgroup_Limits(t *testing.T) {
	parent := t.TempDir()
	group := filepath.Join(parent, "ffrtmp-job-1")
	must(t, os.Mkdir(group, 0o755))
	for name, content := range map[string]string{
		"cgroup.subtree_control": "cpu memory pids", "ffrtmp-job-1/cpu.max": "", "ffrtmp-job-1/memory.max": "",
		"ffrtmp-job-1/memory.events": "low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\n",
	} {
		must(t, os.WriteFile(filepath.Join(parent, name), []byte(content), 0o644))
	}
	g, err := newCgroupBelow(parent, "job-1", ffrtmp.ResourceLimits{MaxCPUPercent: 150, MaxMemoryMB: 512})
	must(t, err)
	defer g.dir.Close()
	for name, want := range map[string]string{"cpu.max": "150000 100000", "memory.max": "536870912"} {
		if got, err := os.ReadFile(filepath.Join(group, name)); err != nil || string(got) != want {
			t.Errorf("%s: got %q (%v), want %q", name, got, err, want)
		}
	}
	if !g.outOfMemory() {
		t.Error("got no kill for memory, want one")
	}
}

func TestCgroup_NoControllers(t *testing.T) {
	parent := t.TempDir()
	for _, name := range []string{"cgroup.subtree_control", "cgroup.controllers"} {
		must(t, os.WriteFile(filepath.Join(parent, name), []byte("pids"), 0o644))
	}
	_, err := newCgroupBelow(parent, "job-1", ffrtmp.ResourceLimits{MaxMemoryMB: 512})
	if err == nil || !strings.Contains(err.Error(), "no cpu and memory controllers") {
		t.Errorf("got %v, want missing controllers", err)
	}
}
