package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// guide is docs/disaster-recovery.md, executed on a cluster whose masters are called m1, m2 and m3.
type guide struct {
	*site
	backup string // directory
}

// step is a command of the guide or, in a comment, what happens before it.
type step struct {
	event   string
	master  int
	command string
	want    []string // lines; … stands for anything
}

var (
	eventLine  = regexp.MustCompile(`^<!-- test: (.*) -->$`)
	promptLine = regexp.MustCompile(`^m([1-3])# (.*)$`)
)

// readGuide returns the steps of the guide.
func readGuide(t *testing.T) (steps []step) {
	t.Helper()
	data, err := os.ReadFile("../docs/disaster-recovery.md")
	if err != nil {
		t.Fatal(err)
	}
	block := false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if m := eventLine.FindStringSubmatch(line); m != nil {
			steps = append(steps, step{event: m[1]})
			continue
		}
		if strings.HasPrefix(line, "```") {
			block = line == "```console"
			continue
		}
		if !block {
			continue
		}
		if m := promptLine.FindStringSubmatch(line); m != nil {
			steps = append(steps, step{master: int(m[1][0] - '1'), command: m[2]})
			continue
		}
		last := &steps[len(steps)-1]
		last.want = append(last.want, line)
	}
	return steps
}

// matches reports whether output is what the guide shows.
func (s step) matches(output string) bool {
	var pattern strings.Builder
	for _, line := range s.want {
		if line == "…" {
			pattern.WriteString(`(?:.*\n)*?`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") + `\n`)
	}
	return regexp.MustCompile(`\A` + pattern.String() + `\z`).MatchString(output)
}

// do executes a step.
func (g *guide) do(s step) {
	g.t.Helper()
	if s.event != "" {
		g.t.Logf("(%s)", s.event)
		g.prepareFor(s.event)
		return
	}
	g.t.Logf("m%d# %s", s.master+1, s.command)
	m := g.Master(s.master)
	switch s.command {
	case "systemctl start ffmpeg-master":
		g.must(m.Start())
	case "systemctl stop ffmpeg-master":
		g.must(m.Stop(g.soon()))
	case "journalctl -u ffmpeg-master -n 1 -o cat":
		_ = m.Wait(g.soon()) // the guide shows why it ends
		log, err := os.ReadFile(m.LogPath())
		g.must(err)
		lines := strings.Split(strings.TrimSpace(string(log)), "\n")
		g.compare(s, m, lines[len(lines)-1]+"\n")
	default:
		g.compare(s, m, g.shell(m, s.command))
	}
}

const stateDir, backupDir = "/var/lib/ffmpeg-rtmp", "/backup"

// paths replaces the guide's paths by the test's.
func (g *guide) paths(m *devcluster.Master) *strings.Replacer {
	return strings.NewReplacer(stateDir+"/master.raft", filepath.Join(m.Dir(), "raft"), stateDir, m.Dir(),
		backupDir, g.backup)
}

func (g *guide) compare(s step, m *devcluster.Master, output string) {
	g.t.Helper()
	for i, line := range s.want {
		s.want[i] = g.paths(m).Replace(line)
	}
	if !s.matches(output) {
		g.t.Fatalf("m%d# %s\ngot\n%s\nwant\n%s", s.master+1, s.command, output, strings.Join(s.want, "\n"))
	}
}

// shell runs a command line as on the master's machine and returns all that it prints.
func (g *guide) shell(m *devcluster.Master, line string) string {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", g.paths(m).Replace(line))
	cmd.Env = append(g.environment(), "PATH="+shared.bin+":"+os.Getenv("PATH"), "HOME="+g.backup)
	out, err := cmd.CombinedOutput()
	if err != nil {
		g.t.Fatalf("%s: %v:\n%s", line, err, out)
	}
	return string(out)
}

// prepareFor makes what the guide assumes.
func (g *guide) prepareFor(event string) {
	g.t.Helper()
	verb, rest, _ := strings.Cut(event, " ")
	if verb == "submit" {
		var n int
		_, err := fmt.Sscanf(rest, "%d jobs", &n)
		g.must(err)
		submitMany(g.site, n)
		return
	}
	for name := range strings.SplitSeq(rest, ", ") {
		m := g.Master(int(name[1] - '1'))
		switch verb {
		case "stop":
			g.must(m.Stop(g.soon()))
		case "lose":
			m.Kill()
			g.must(os.RemoveAll(m.Dir()))
			g.must(os.Mkdir(m.Dir(), 0o700))
		default:
			g.t.Fatalf("unknown event %q", event)
		}
	}
}

// Every line of the guide for disasters does what it says, on real masters; an agent continues through all of it.
func TestDisasterRecovery_Guide(t *testing.T) {
	var three, single []step
	for _, s := range readGuide(t) {
		if len(single) > 0 || strings.HasPrefix(s.event, "damage") {
			single = append(single, s)
			continue
		}
		three = append(three, s)
	}
	if len(three) < 30 || len(single) < 7 {
		t.Fatalf("got %d and %d steps, want at least 30 and 7", len(three), len(single))
	}
	named := func(i int) []string { return []string{"--name", fmt.Sprintf("m%d", i+1)} }
	t.Run("three", func(t *testing.T) {
		g := &guide{site: start(t, devcluster.Options{Masters: 3, Agents: 1, MasterArgs: named}), backup: t.TempDir()}
		g.voters(3)
		agent := g.Agent(0).PID()
		for _, s := range three {
			g.do(s)
		}
		g.finished(g.submit(ffrtmp.Spec{Scenario: "360p-h264"}).ID)
		if got := g.Agent(0).PID(); got != agent {
			t.Errorf("got agent pid %d, want %d: it must not end", got, agent)
		}
	})
	t.Run("single", func(t *testing.T) {
		g := &guide{site: start(t, devcluster.Options{Masters: 1, MasterArgs: named}), backup: t.TempDir()}
		submitMany(g.site, 3)
		g.Master(0).Kill()
		g.must(os.Truncate(filepath.Join(g.Master(0).Dir(), "raft", "raft.db"), 0))
		for _, s := range single[1:] {
			g.do(s)
		}
	})
}

// The comparison of the guide's output finds what differs.
func TestDisasterRecovery_Comparison(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		want   string
		output string
		match  bool
	}{
		{"", "", true},
		{"", "x\n", false},
		{"a", "a\n", true},
		{"a", "a\nb\n", false},
		{"…", "a\nb\n", true},
		{"a …\n…\nz", "a 1\nz\n", true},
		{"a …\n…\nz", "a 1\nb\nz\n", true},
		{"a …\nz", "a 1\nb\nz\n", false},
		{"…\nb", "a\nb\nc\n", false},
	} {
		s := step{}
		if tt.want != "" {
			s.want = strings.Split(tt.want, "\n")
		}
		if got := s.matches(tt.output); got != tt.match {
			t.Errorf("%q with %q: got %v, want %v", tt.want, tt.output, got, tt.match)
		}
	}
}
