package e2e

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// patience bounds each wait. It is long because machines are busy; the TestChaos tests measure what must be fast.
const patience = testkit.Patience

// site is a cluster under test.
type site struct {
	*devcluster.Cluster
	t      *testing.T
	client *client.Client
}

// start starts a cluster and waits until it is ready. The test's end stops it.
func start(t *testing.T, opts devcluster.Options) *site {
	t.Helper()
	s := prepare(t, opts)
	s.must(s.Start(s.soon()))
	for _, a := range s.Agents() {
		s.keepTrial(a)
	}
	return s
}

// prepare creates a cluster without starting it.
func prepare(t *testing.T, opts devcluster.Options) *site {
	t.Helper()
	opts.BinDir = shared.bin
	c, err := devcluster.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Cluster: c, t: t}
	t.Cleanup(func() {
		if t.Failed() {
			s.showLogs()
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, a := range c.Agents() {
		s.giveTrial(a)
	}
	s.client, err = client.New(client.Config{Masters: c.URLs(), APIKey: c.APIKey(), TLS: c.ClientTLS()})
	s.must(err)
	t.Cleanup(s.client.Close)
	return s
}

// soon returns a context for one wait.
func (s *site) soon() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	s.t.Cleanup(cancel)
	return ctx
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// showLogs prints the last lines of all logs.
func (s *site) showLogs() {
	paths, _ := filepath.Glob(filepath.Join(s.Dir(), "logs", "*.log"))
	for _, path := range paths {
		data, err := os.ReadFile(path)
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		s.t.Logf("%s (%v):\n%s", filepath.Base(path), err, strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
}

// history returns all log lines about a job.
func (s *site) history(id string) string {
	var text strings.Builder
	paths, _ := filepath.Glob(filepath.Join(s.Dir(), "logs", "*.log"))
	for _, path := range paths {
		data, _ := os.ReadFile(path)
		for line := range strings.Lines(string(data)) {
			if strings.Contains(line, id) {
				text.WriteString(filepath.Base(path) + ": " + line)
			}
		}
	}
	return text.String()
}

// giveTrial gives an agent the encoder trials of the first one, which take seconds. The agent
// checks whether they apply to its ffmpeg.
func (s *site) giveTrial(a *devcluster.Agent) { giveTrial(s.t, a.StateDir()) }

func giveTrial(t *testing.T, stateDir string) {
	t.Helper()
	data, err := os.ReadFile(shared.trial)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = errors.Join(
			os.MkdirAll(stateDir, 0o700),
			os.WriteFile(filepath.Join(stateDir, "encoders.json"), data, 0o600),
		)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s *site) keepTrial(a *devcluster.Agent) {
	var data []byte
	s.eventually("the agent has tried its encoders", func() (tried bool) {
		var err error
		data, err = os.ReadFile(filepath.Join(a.StateDir(), "encoders.json"))
		return err == nil
	})
	s.must(os.WriteFile(shared.trial, data, 0o600))
}

// eventually waits until cond holds.
func (s *site) eventually(what string, cond func() bool) {
	s.t.Helper()
	s.within(patience, what, cond)
}

// within waits until cond holds, at most for limit, and returns how long it took.
func (s *site) within(limit time.Duration, what string, cond func() bool) time.Duration {
	s.t.Helper()
	return testkit.Within(s.t, limit, what, cond)
}

// steadily checks that cond holds all the time.
func (s *site) steadily(long time.Duration, what string, cond func() bool) {
	s.t.Helper()
	over := time.After(long)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if !cond() {
			s.t.Fatalf("no longer true: %s", what)
		}
		select {
		case <-tick.C:
		case <-over:
			return
		}
	}
}

// environment returns the settings of ffrtmp and of client.ConfigFromEnv for this cluster.
func (s *site) environment() []string {
	return []string{
		"MASTER_URL=" + strings.Join(s.URLs(), ","), "FFRTMP_CA=" + s.CAFile(), "FFRTMP_API_KEY_FILE=" + s.APIKeyFile(),
	}
}

// oneAttempt checks that the job took a single attempt.
func (s *site) oneAttempt(j ffrtmp.Job) {
	s.t.Helper()
	if len(j.Attempts) != 1 || j.RetryCount != 0 {
		s.t.Errorf("got attempts %+v and %d retries, want one attempt", j.Attempts, j.RetryCount)
	}
}

// sameFFmpeg checks that the agent's encode is still the process before.
func (s *site) sameFFmpeg(a *devcluster.Agent, before process) {
	s.t.Helper()
	if now := s.ffmpeg(a); now.pid != before.pid {
		s.t.Errorf("got ffmpeg pid %d, want %d", now.pid, before.pid)
	}
}

// leader returns the number of the master that leads.
func (s *site) leader() int {
	s.t.Helper()
	i, err := s.Leader(s.soon())
	s.must(err)
	return i
}

// follower returns the number of a running master that does not lead.
func (s *site) follower() int {
	s.t.Helper()
	leader := s.leader()
	for i, m := range s.Masters() {
		if i != leader && m.Running() {
			return i
		}
	}
	s.t.Fatal("got no follower, want one")
	return 0
}

// restart starts a stopped master and waits until it is ready.
func (s *site) restart(m *devcluster.Master) {
	s.t.Helper()
	s.must(m.Start())
	s.must(m.WaitReady(s.soon()))
}

// submit submits a job.
func (s *site) submit(spec ffrtmp.Spec) ffrtmp.Job {
	s.t.Helper()
	j, err := s.client.Submit(s.soon(), spec)
	s.must(err)
	return j
}

// look returns the current job.
func (s *site) look(id string) ffrtmp.Job {
	s.t.Helper()
	j, err := s.client.Job(s.soon(), id)
	s.must(err)
	return j
}

// until waits until cond holds for the job, and returns it.
func (s *site) until(id, what string, cond func(ffrtmp.Job) bool) ffrtmp.Job {
	s.t.Helper()
	var j ffrtmp.Job
	began := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		j = s.look(id)
		switch {
		case cond(j):
			return j
		case time.Since(began) > patience:
			s.t.Fatalf("job %s did not become %s: %+v\n%s", id, what, j, s.history(id))
		case j.Status.Terminal():
			s.t.Fatalf("job %s finished before it was %s: %+v", id, what, j)
		}
		<-tick.C
	}
}

// encoding waits until ffmpeg has encoded frames in the given attempt.
func (s *site) encoding(id string, attempt int) ffrtmp.Job {
	s.t.Helper()
	return s.until(id, "encoding", func(j ffrtmp.Job) bool {
		return j.Status == ffrtmp.Running && j.Attempt == attempt && frames(j) > 0
	})
}

// frames returns the last reported number of encoded frames: a new leader knows none until
// the agent reports.
func frames(j ffrtmp.Job) int64 {
	if j.ProgressDetail == nil {
		return 0
	}
	return j.ProgressDetail.Frame
}

// finished waits until the job has finished, and returns it.
func (s *site) finished(id string) ffrtmp.Job {
	s.t.Helper()
	j, err := s.client.Wait(s.soon(), id, nil)
	s.must(err)
	return j
}

// agentOf returns the agent that runs the job.
func (s *site) agentOf(j ffrtmp.Job) *devcluster.Agent {
	s.t.Helper()
	for _, a := range s.Agents() {
		if a.Name() == j.NodeName {
			return a
		}
	}
	s.t.Fatalf("job %s: got node %q, want an agent of this cluster", j.ID, j.NodeName)
	return nil
}

// outcomes lists how a job's attempts ended.
func outcomes(j ffrtmp.Job) []ffrtmp.Outcome {
	var list []ffrtmp.Outcome
	for _, a := range j.Attempts {
		list = append(list, a.Outcome)
	}
	return list
}
