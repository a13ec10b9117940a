package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// exporting returns options of a cluster that exports its traces at once.
func exporting(c *collector, masters, agents int) devcluster.Options {
	args := func(int) []string { return []string{"--tracing-endpoint", c.url, "--log-level", "debug"} }
	return devcluster.Options{
		Masters: masters, Agents: agents, MasterArgs: args, AgentArgs: args,
		Env: []string{"OTEL_BSP_SCHEDULE_DELAY=50"},
	}
}

// One trace and one request id lead from the CLI through follower and leader to ffmpeg.
func TestTrace_FromClientToFFmpeg(t *testing.T) {
	c := newCollector(t)
	s := start(t, exporting(c, 3, 1))
	s.voters(3)
	leader, follower := s.Master(s.leader()), s.Master(s.follower())
	run := launch(
		t,
		t.TempDir(),
		nil,
		"ffrtmp",
		"--master",
		follower.URL(),
		"--ca",
		s.CAFile(),
		"--api-key-file",
		s.APIKeyFile(),
		"--tracing-endpoint",
		c.url,
		"--output",
		"json",
		"jobs",
		"submit",
		"--scenario",
		"360p-h264",
		"--duration",
		"1",
	)
	if status := run.status(t); status != 0 {
		t.Fatalf("got exit status %d, want 0: %s", status, run.output)
	}
	var j ffrtmp.Job
	s.must(json.Unmarshal([]byte(run.output.String()), &j))
	if done := s.finished(j.ID); done.Status != ffrtmp.Completed {
		t.Fatalf("got job %+v, want completed", done)
	}

	var path []span // from ffmpeg's run up to the command line
	s.eventually("the whole trace arrives", func() bool {
		path = ancestry(c.received(), func(s span) bool { return s.name == "encode" })
		return len(path) == 8
	})
	member := func(m *devcluster.Master) string {
		found, _ := s.member(m.URL())
		return found.ID
	}
	var got []string
	for _, s := range slices.Backward(path) {
		got = append(got, s.service+" "+s.instance+" "+s.name)
	}
	want := []string{
		"ffrtmp  ffrtmp jobs submit",
		"ffrtmp  call",
		"ffrtmp-master " + member(follower) + " POST /jobs",
		"ffrtmp-master " + member(follower) + " forward",
		"ffrtmp-master " + member(leader) + " POST /jobs",
		"ffrtmp-master " + member(leader) + " commit",
		"ffrtmp-agent agent-0 attempt",
		"ffrtmp-agent agent-0 encode",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got trace\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	attempt := path[1]
	for _, name := range []string{"verify", "publish"} {
		if !slices.ContainsFunc(c.received(), func(s span) bool { return s.name == name && s.parent == attempt.id }) {
			t.Errorf("got no span %s under the attempt", name)
		}
	}
	if attempt.attributes["ffrtmp.job.id"] != j.ID || attempt.attributes["ffrtmp.result"] != "completed" ||
		attempt.failed {
		t.Errorf("got attempt attributes %v", attempt.attributes)
	}
	if slices.ContainsFunc(
		c.received(),
		func(s span) bool { return strings.Contains(s.name, "heartbeat") || strings.Contains(s.name, "claim") },
	) {
		t.Error("got traces of polling, want none")
	}

	id := attempt.attributes["ffrtmp.request.id"]
	for _, name := range []string{follower.Name(), leader.Name(), "agent-0"} {
		if log := s.logOf(name); id == "" || !strings.Contains(log, "request_id="+id) {
			t.Errorf("log of %s: got no request id %q", name, id)
		}
	}
	if j := s.look(j.ID); j.RequestID != id || !strings.Contains(j.Traceparent, path[2].id) {
		t.Errorf("got origin %+v, want the client's", j.Origin)
	}
}

// ancestry returns the first span for which fits holds, and its ancestors.
func ancestry(spans []span, fits func(span) bool) []span {
	var path []span
	for i := slices.IndexFunc(spans, fits); i >= 0; {
		at := spans[i]
		path = append(path, at)
		i = slices.IndexFunc(spans, func(s span) bool { return s.trace == at.trace && s.id == at.parent })
	}
	return path
}

// logOf returns the log of a master or agent.
func (s *site) logOf(name string) string {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.Dir(), "logs", name+".log"))
	s.must(err)
	return string(data)
}

// An unreachable collector delays nothing, and masters without tracing keep the client's trace.
func TestTrace_CollectorAway(t *testing.T) {
	away := []string{"--tracing-endpoint", "http://127.0.0.1:" + freePort(t)}
	c := newCollector(t)
	s := start(t, devcluster.Options{
		Masters: 1, Agents: 1, AgentArgs: func(int) []string { return []string{"--tracing-endpoint", c.url} },
		Env: []string{"OTEL_BSP_SCHEDULE_DELAY=50"},
	})
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	var j ffrtmp.Job
	s.wire().call(t, "POST", s.Master(0).URL()+"/jobs", `{"scenario":"360p-h264","parameters":{"duration":1}}`,
		"Traceparent", parent, "X-Request-Id", "by-hand").want(t, 201).decode(t, &j)
	if j.Traceparent != parent || j.RequestID != "by-hand" {
		t.Errorf("got origin %+v, want the client's", j.Origin)
	}
	s.finished(j.ID)
	s.eventually("the agent continues the client's trace", func() bool {
		return slices.ContainsFunc(c.received(), func(s span) bool {
			return s.name == "attempt" && s.trace == strings.Split(parent, "-")[1] &&
				s.parent == strings.Split(parent, "-")[2]
		})
	})

	m := launchMaster(t, t.TempDir(), append(away, "--db", "")...)
	m.call(t, "POST", m.url+"/jobs", `{"scenario":"360p"}`).want(t, 201)
	s.must(m.cmd.Process.Signal(os.Interrupt))
	if status := m.status(t); status != 0 {
		t.Errorf("got exit status %d, want 0: %s", status, m.output)
	}
	if !strings.Contains(m.output.String(), "trace export failed") {
		t.Errorf("got no warning about the collector: %s", m.output)
	}
}
