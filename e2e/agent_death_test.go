package e2e

import (
	"slices"
	"syscall"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// shortLeases are arguments of masters under which a silent agent is soon given up.
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
	if now := s.ffmpeg(agent); now.pid != before.pid {
		t.Fatalf("with its agent dead, ffmpeg was process %d and is %d", before.pid, now.pid)
	}
	made := frames(s.look(id))
	s.must(agent.Start())
	s.must(agent.WaitReady(s.soon()))
	s.until(id, "further on", func(j ffrtmp.Job) bool { return frames(j) > made })
	if now := s.ffmpeg(agent); now.pid != before.pid {
		t.Errorf("ffmpeg was process %d and is %d", before.pid, now.pid)
	}
	film.release()
	j := s.finished(id)
	s.checkFilm(j, "out.mp4")
	if len(j.Attempts) != 1 {
		t.Errorf("it took these attempts: %+v", j.Attempts)
	}
}

// When an encoding machine dies, another node finishes its job without using up a retry.
func TestAgent_LostMachineJobMoves(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3, Agents: 2, MasterArgs: shortLeases})
	film := newSource(t)
	id := s.submit(film.encode("out.mp4", nil)).ID
	first := s.encoding(id, 1)
	if n := s.killMachine(s.agentOf(first)); n != 2 {
		t.Fatalf("%d processes were killed with the agent; a supervisor and ffmpeg were expected", n)
	}
	film.release()
	j := s.finished(id)
	s.checkFilm(j, "out.mp4")
	if got, want := outcomes(j), []ffrtmp.Outcome{ffrtmp.AttemptLost, ffrtmp.AttemptCompleted}; !slices.Equal(got, want) {
		t.Errorf("the attempts were %q, want %q", got, want)
	}
	if j.NodeName == first.NodeName || j.RetryCount != 0 {
		t.Errorf("finished by %s after %d retries; a lost attempt of %s does not use one up", j.NodeName, j.RetryCount, first.NodeName)
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
		t.Fatalf("the frozen %s has got the job again", second.NodeName)
	}
	if len(s.ffmpegs(frozen)) == 0 || len(s.workFiles()) != 2 {
		t.Fatalf("two encodes should be under way; work files %q", s.workFiles())
	}
	s.must(frozen.Signal(syscall.SIGCONT))
	s.eventually("the thawed agent ends its ffmpeg", func() bool { return len(s.ffmpegs(frozen)) == 0 })
	s.eventually("its work file is gone", func() bool { return len(s.workFiles()) == 1 })
	film.release()
	j := s.finished(id)
	s.checkFilm(j, "out.mp4")
	if got, want := outcomes(j), []ffrtmp.Outcome{ffrtmp.AttemptLost, ffrtmp.AttemptCompleted}; !slices.Equal(got, want) {
		t.Errorf("the attempts were %q, want %q", got, want)
	}
	if j.NodeID != second.NodeID {
		t.Errorf("the result is %s's, not %s's", j.NodeName, second.NodeName)
	}
	if left := s.workFiles(); len(left) != 0 {
		t.Errorf("left behind: %q", left)
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
		t.Fatalf("the frozen agent should have an output to publish: %q", left)
	}
	s.must(frozen.Signal(syscall.SIGCONT))
	s.eventually("its work file is gone", func() bool { return len(s.workFiles()) == 0 })
	j := s.look(id)
	s.checkFilm(j, "out.mp4")
	if j.NodeID != done.NodeID || *j.Output != *done.Output || len(j.Attempts) != 2 {
		t.Errorf("the result has changed:\n%+v\n%+v", done, j)
	}
}
