package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
	"github.com/ffrtmp/ffrtmp/internal/rtmptest"
)

// Streams to a real server survive a failover, end on cancel and are retried when the server dies.
func TestStream_ToAnRTMPServer(t *testing.T) {
	s := start(t, devcluster.Options{
		Masters: 3, Agents: 1,
		MasterArgs: func(int) []string {
			return []string{"--lease-ttl", "3s", "--retry-base", "500ms", "--max-retries", "50"}
		},
		AgentArgs: func(int) []string { return []string{"--max-concurrent-jobs", "2"} },
	})
	server := rtmptest.New(t)
	s.must(os.Link(shared.film, filepath.Join(s.MediaRoot(), "film.mkv")))
	const filmKey, patternKey = "key-of-the-film", "key-of-the-pattern"
	stream := func(scenario, key string, more map[string]any) string {
		all := map[string]any{
			"output_mode": "rtmp",
			"rtmp_url":    server.URL(),
			"stream_key":  key,
			"preset":      "ultrafast",
		}
		maps.Copy(all, more)
		j := s.submit(ffrtmp.Spec{Scenario: scenario, Parameters: object(all)})
		if j.Queue != ffrtmp.Live {
			t.Errorf("%s: got queue %s, want live", scenario, j.Queue)
		}
		return j.ID
	}
	film := stream("live-480p30-h264", filmKey, map[string]any{"input": "film.mkv"})
	pattern := stream("live-360p25", patternKey, map[string]any{"duration": 3600, "output_mode": "stream"})
	s.eventually("the server receives both streams", func() bool { return len(server.Streams()) == 2 })
	for key, want := range map[string]rtmptest.Probed{
		filmKey:    {Video: "h264", Size: "854x480", Rate: "30/1", Audio: "aac"},
		patternKey: {Video: "h264", Size: "640x360", Rate: "25/1", Audio: "aac"},
	} {
		if got := server.Probe(key); got != want {
			t.Errorf("viewer of %s: got %+v, want %+v", key, got, want)
		}
	}
	s.checkCommandLines(filmKey, patternKey)

	before, encodes := server.Streams(), s.ffmpegs(s.Agent(0))
	s.Master(s.leader()).Kill()
	out := s.encoding(film, 1).ProgressDetail.OutTimeSeconds
	for _, id := range []string{film, pattern} {
		s.until(id, "streaming past a lease under a new leader", func(j ffrtmp.Job) bool {
			return j.ProgressDetail != nil && j.ProgressDetail.OutTimeSeconds > out+4
		})
	}
	after := server.Streams()
	for key, b := range before {
		a := after[key]
		if a.Publisher() != b.Publisher() || a.Received <= b.Received {
			t.Errorf("%s: got %+v after the leader's death, want the same publisher as %+v", key, a, b)
		}
		if c := a.Clients[0]; c.Timestamp > c.Connected+1000 {
			t.Errorf("%s: got %d ms of media in %d ms, want real time", key, c.Timestamp, c.Connected)
		}
	}
	pids := func(list []process) (all []int) {
		for _, p := range list {
			all = append(all, p.pid)
		}
		return all
	}
	if now := s.ffmpegs(s.Agent(0)); !slices.Equal(pids(now), pids(encodes)) {
		t.Errorf("got encodes %v, want %v", now, encodes)
	}

	s.must(s.client.Cancel(s.soon(), film))
	s.eventually("the server sees the end of the canceled stream", func() bool {
		_, there := server.Streams()[filmKey]
		return !there
	})
	if j := s.look(film); j.Status != ffrtmp.Canceled ||
		!slices.Equal(outcomes(j), []ffrtmp.Outcome{ffrtmp.AttemptCanceled}) {
		t.Errorf("got job %s with attempts %+v, want one canceled", j.Status, j.Attempts)
	}

	server.Kill()
	j := s.until(pattern, "retried", func(j ffrtmp.Job) bool { return j.RetryCount > 0 })
	if first := j.Attempts[0]; first.Outcome != ffrtmp.AttemptFailed || first.FailureReason != ffrtmp.NetworkError {
		t.Errorf("without its server: got attempt %+v, want a network_error", first)
	}
	server.Start()
	s.eventually(
		"the server receives the stream again",
		func() bool { return server.Streams()[patternKey].Received > 0 },
	)
	if j := s.look(pattern); j.Status != ffrtmp.Running || j.Attempt < 2 {
		t.Errorf("got job %+v, want a running second attempt", j)
	}
}

// checkCommandLines searches ffmpeg's command lines for secrets.
func (s *site) checkCommandLines(secrets ...string) {
	s.t.Helper()
	for _, p := range s.ffmpegs(s.Agent(0)) {
		for _, secret := range secrets {
			if mentions(filepath.Join("/proc", strconv.Itoa(p.pid), "cmdline"), secret) {
				s.t.Errorf("%s found on the command line of %s", secret, p.name)
			}
		}
	}
}
