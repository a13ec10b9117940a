package e2e

import (
	"context"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// A stopped leader transfers leadership and answers the requests in flight.
func TestStop_LeaderHandsOver(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	w := s.write(8, "stop")
	w.more(100)
	s.stopLeader(w)
	w.verify()
}

// stopLeader stops the leader under load, with a request in flight, restarts it, and returns the
// write gap.
func (s *site) stopLeader(w *writers) time.Duration {
	s.t.Helper()
	leader := s.Master(s.leader())
	finish, answer := s.slowSubmission(leader.URL())
	told := time.Now()
	s.must(leader.Signal(syscall.SIGTERM))
	w.more(100)
	finish()
	if status := <-answer; status != http.StatusCreated {
		s.t.Errorf("request in flight: got status %d, want 201", status)
	}
	if err := leader.Wait(s.soon()); err != nil {
		s.t.Error(err)
	}
	gap := w.gap(told)
	s.t.Logf("write gap %s", gap)
	s.restart(leader)
	return gap
}

// slowSubmission sends a part of a submission; finish sends the rest. answer then receives the
// status, or 0 for a broken connection.
func (s *site) slowSubmission(url string) (finish func(), answer <-chan int) {
	s.t.Helper()
	body, pipe := io.Pipe()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	s.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/jobs", body)
	s.must(err)
	req.Header.Set("Authorization", "Bearer "+s.APIKey())
	statuses := make(chan int, 1)
	client := s.wire().http
	go func() {
		resp, err := client.Do(req)
		if err != nil {
			s.t.Log(err)
			statuses <- 0
			return
		}
		resp.Body.Close()
		statuses <- resp.StatusCode
	}()
	const json = `{"scenario":"360p","queue":"batch"}`
	_, err = io.WriteString(pipe, json[:10]) // returns when it has been sent
	s.must(err)
	return func() {
		_, err := io.Copy(pipe, strings.NewReader(json[10:]))
		s.must(err)
		s.must(pipe.Close())
	}, statuses
}

// A stopped agent finishes its running job and claims no other.
func TestStop_AgentFinishesItsJob(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 1, Agents: 1})
	agent := s.Agent(0)
	film := newSource(t)
	id := s.submit(film.encode("out.mp4", nil)).ID
	next := s.submit(film.encode("next.mp4", nil)).ID
	s.encoding(id, 1)
	s.must(agent.Signal(syscall.SIGTERM))
	s.steadily(
		time.Second,
		"the agent keeps running",
		func() bool { return agent.Running() && len(s.ffmpegs(agent)) == 1 },
	)
	film.release()
	s.checkFilm(s.finished(id), "out.mp4")
	if err := agent.Wait(s.soon()); err != nil {
		t.Error(err)
	}
	if j := s.look(next); j.Status != ffrtmp.Pending || j.Attempt != 0 {
		t.Errorf("next job: got %s in attempt %d, want pending in 0", j.Status, j.Attempt)
	}
}

// After --drain-timeout ffmpeg keeps running and the next agent adopts it.
func TestStop_AgentLeavesFFmpegRunning(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 1, Agents: 1, AgentArgs: func(int) []string {
		return []string{"--drain-timeout", "500ms"}
	}})
	agent := s.Agent(0)
	film := newSource(t)
	id := s.submit(film.encode("out.mp4", nil)).ID
	s.encoding(id, 1)
	before := s.ffmpeg(agent)
	s.must(agent.Stop(s.soon()))
	s.must(agent.Start())
	s.must(agent.WaitReady(s.soon()))
	s.sameFFmpeg(agent, before)
	film.release()
	j := s.finished(id)
	s.checkFilm(j, "out.mp4")
	s.oneAttempt(j)
}
