package e2e

import (
	"slices"
	"syscall"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// shortLeases are master arguments that make the leases of a silent agent expire soon.
func shortLeases(int) []string { return []string{"--lease-ttl", "3s"} }

// A restarted agent finds its running ffmpeg and reports its result.
func TestAgent_RestartAdoptsFFmpeg(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3, Agents: 1})
	agent := s.Agent(0)
	film := newSource(t)
	id := s.submit(film.encode("out.mp4", nil)).ID
	s.encoding(id, 1)
	before := s.ffmpeg(agent)
	agent.Kill()
	s.sameFFmpeg(agent, before)
	made := frames(s.look(id))
	s.must(agent.Start())
	s.must(agent.WaitReady(s.soon()))
	s.until(id, "making progress", func(j ffrtmp.Job) bool { return frames(j) > made })
	s.sameFFmpeg(agent, before)
	film.release()
	j := s.finished(id)
	s.checkFilm(j, "out.mp4")
	s.oneAttempt(j)
}

// When an encoding machine dies, another node finishes its job without using up a retry.
func TestAgent_LostMachineJobMoves(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3, Agents: 2, MasterArgs: shortLeases})
	film := newSource(t)
	id := s.submit(film.encode("out.mp4", nil)).ID
	first := s.encoding(id, 1)
	if n := s.killMachine(s.agentOf(first)); n != 2 {
		t.Fatalf("killed %d processes with the agent, want 2: supervisor and ffmpeg", n)
	}
	film.release()
	j := s.finished(id)
	s.checkFilm(j, "out.mp4")
	s.lostThenCompleted(j)
	if j.NodeName == first.NodeName || j.RetryCount != 0 {
		t.Errorf("got node %s and %d retries, want another node than %s and no retry",
			j.NodeName, j.RetryCount, first.NodeName)
	}
}

// lostThenCompleted checks that a job's first attempt was lost and its second completed.
func (s *site) lostThenCompleted(j ffrtmp.Job) {
	s.t.Helper()
	want := []ffrtmp.Outcome{ffrtmp.AttemptLost, ffrtmp.AttemptCompleted}
	if got := outcomes(j); !slices.Equal(got, want) {
		s.t.Errorf("got attempts %q, want %q", got, want)
	}
}

// An agent frozen past its lease stops its ffmpeg and leaves the next attempt alone.
func TestAgent_FrozenPastLease(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3, Agents: 2, MasterArgs: shortLeases})
	film := newSource(t)
	id := s.submit(film.encode("out.mp4", nil)).ID
	first := s.encoding(id, 1)
	frozen := s.agentOf(first)
	s.must(frozen.Signal(syscall.SIGSTOP))
	second := s.encoding(id, 2)
	if second.NodeName == first.NodeName {
		t.Fatalf("got the frozen node %s again, want another one", second.NodeName)
	}
	if len(s.ffmpegs(frozen)) == 0 || len(s.workFiles()) != 2 {
		t.Fatalf("got work files %q, want two encodes", s.workFiles())
	}
	s.must(frozen.Signal(syscall.SIGCONT))
	s.eventually("the resumed agent stops its ffmpeg", func() bool { return len(s.ffmpegs(frozen)) == 0 })
	s.eventually("its work file is gone", func() bool { return len(s.workFiles()) == 1 })
	film.release()
	j := s.finished(id)
	s.checkFilm(j, "out.mp4")
	s.lostThenCompleted(j)
	if j.NodeID != second.NodeID {
		t.Errorf("got the result of %s, want that of %s", j.NodeName, second.NodeName)
	}
	if left := s.workFiles(); len(left) != 0 {
		t.Errorf("got work files %q, want none", left)
	}
}

// A stale agent cannot publish an output after the next attempt has completed.
func TestAgent_FrozenCannotPublish(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3, Agents: 2, MasterArgs: shortLeases})
	film := newSource(t)
	id := s.submit(film.encode("out.mp4", nil)).ID
	frozen := s.agentOf(s.encoding(id, 1))
	s.must(frozen.Signal(syscall.SIGSTOP))
	s.encoding(id, 2)
	film.release() // for both
	done := s.finished(id)
	s.eventually("the frozen agent's ffmpeg has ended too", func() bool { return len(s.ffmpegs(frozen)) == 0 })
	if left := s.workFiles(); len(left) != 1 {
		t.Fatalf("got work files %q, want one to publish", left)
	}
	s.must(frozen.Signal(syscall.SIGCONT))
	s.eventually("its work file is gone", func() bool { return len(s.workFiles()) == 0 })
	j := s.look(id)
	s.checkFilm(j, "out.mp4")
	if j.NodeID != done.NodeID || j.Output.SHA256 != done.Output.SHA256 || len(j.Attempts) != 2 {
		t.Errorf("got result %+v, want %+v", j, done)
	}
}
