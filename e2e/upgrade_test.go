package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

const nextVersion = "9.9.9"

// buildNext builds a master of the next version, which knows a newer command.
func buildNext(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "master")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags", "nextlevel", "-ldflags",
		"-X github.com/ffrtmp/ffrtmp/internal/version.Version="+nextVersion, "-o", program,
		"github.com/ffrtmp/ffrtmp/cmd/master")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the next version: %v\n%s", err, out)
	}
	return program
}

// Masters are upgraded to the next version one by one under load, and downgraded again: no request fails, and a
// command that only the next version knows is written only while every master knows it and nobody holds it back.
func TestUpgrade_AndDowngrade(t *testing.T) {
	next := buildNext(t)
	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	l := s.load(s.Masters()...)
	l.more()

	s.roll(l, nextVersion, next, "version=2")
	if got := s.cluster().CommandLevel; got != 2 {
		t.Errorf("got command level %d, want 2", got)
	}
	s.ffrtmp("cluster", "autopilot", "set", "command_level=1")
	if got := s.noteVersion(); got != "" {
		t.Errorf("held back: got a note with %q, want the old version", got)
	}
	s.roll(l, "dev", filepath.Join(shared.bin, "master"), "")
	s.ffrtmp("cluster", "autopilot", "set", "command_level=0")
	if got := s.noteVersion(); got != "" {
		t.Errorf("downgraded: got a note with %q, want the old version", got)
	}
	l.verify()
}

// roll restarts one master after the other with another program, as ffrtmp cluster upgrade-check says. Until the
// last one, notes have the old version, and then the last one.
func (s *site) roll(l *load, version, program, last string) {
	s.t.Helper()
	for i := range s.Masters() {
		next := s.nextToUpgrade(version)
		for _, m := range s.Masters() {
			if m.Name() != next {
				continue
			}
			l.drop(m)
			s.must(m.Stop(s.soon()))
			m.UseProgram(program)
			s.restart(m)
			l.add(m)
		}
		switch got := s.noteVersion(); {
		case i == len(s.Masters())-1: // the leader learns of the last one's level from gossip
			s.eventually("notes have the version "+last, func() bool { return s.noteVersion() == last })
		case got != "":
			s.t.Errorf("after the restart of %s: got a note with %q, want the old version", next, got)
		}
		l.more()
	}
	if next := s.nextToUpgrade(version); next != "" {
		s.t.Fatalf("got %s left to restart with %s, want none", next, version)
	}
}

// nextToUpgrade waits until a master may be restarted, and returns its name; "" when all run the version.
func (s *site) nextToUpgrade(version string) string {
	s.t.Helper()
	var report struct {
		Next string
		Safe bool
	}
	s.eventually("a master may be restarted", func() bool {
		cmd := exec.CommandContext(s.soon(), filepath.Join(shared.bin, "ffrtmp"), "cluster", "upgrade-check", "--to",
			version, "-o", "json")
		cmd.Env = s.environment()
		out, err := cmd.Output()
		return err == nil && json.Unmarshal(out, &report) == nil && (report.Safe || report.Next == "")
	})
	return report.Next
}

// ffrtmp runs a command of the CLI and returns its output.
func (s *site) ffrtmp(args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.soon(), filepath.Join(shared.bin, "ffrtmp"), args...)
	var said bytes.Buffer
	cmd.Env, cmd.Stderr = s.environment(), &said
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%q: %v\n%s%s", args, err, out, said.String())
	}
	return string(out)
}

// noteVersion has the leader write a note, and returns its detail in the audit log.
func (s *site) noteVersion() string {
	s.t.Helper()
	var keys ffrtmp.GossipKeyList
	s.must(json.Unmarshal([]byte(s.ffrtmp("gossip", "list", "-o", "json")), &keys))
	s.ffrtmp("gossip", "use", keys.Keys[0].Fingerprint)
	var log ffrtmp.AuditList
	s.must(json.Unmarshal([]byte(s.ffrtmp("audit", "--limit", "1", "-o", "json")), &log))
	if len(log.Records) != 1 || !strings.HasPrefix(log.Records[0].Action, "gossip.use") {
		s.t.Fatalf("got audit records %+v, want the note", log.Records)
	}
	return log.Records[0].Detail
}
