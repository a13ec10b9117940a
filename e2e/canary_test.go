package e2e

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// No secret appears in a log, trace, answer or command line, at any log level and format.
func TestSecrets_StayWhereTheyBelong(t *testing.T) {
	const streamKey = "canary-stream-key-7f3a"
	traces := newCollector(t)
	talkative := func(i int) []string {
		return []string{
			"--log-level",
			"trace",
			"--log-format",
			[]string{"json", "text"}[i%2],
			"--tracing-endpoint",
			traces.url,
		}
	}
	s := start(t, devcluster.Options{Masters: 3, Agents: 1, MasterArgs: talkative, AgentArgs: talkative})
	s.voters(3)
	agent := s.Agent(0)

	received := filepath.Join(t.TempDir(), "received.flv")
	port := freePort(t)
	url := "rtmp://127.0.0.1:" + port + "/live"
	server := exec.Command(
		"ffmpeg",
		"-hide_banner",
		"-loglevel",
		"error",
		"-nostdin",
		"-listen",
		"1",
		"-f",
		"flv",
		"-i",
		url+"/"+streamKey,
		"-c",
		"copy",
		"-y",
		received,
	)
	s.must(server.Start())
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	s.eventually(
		"the server listens",
		func() bool { return slices.Contains(openPorts(t, server.Process.Pid), "tcp/"+port) },
	)

	stream := func(to string, seconds int) ffrtmp.Spec {
		none := 0
		return ffrtmp.Spec{Scenario: "live-360p25-h264", MaxRetries: &none, Parameters: object(map[string]any{
			"output_mode": "rtmp", "rtmp_url": to, "stream_key": streamKey, "duration": seconds, "preset": "ultrafast",
		})}
	}
	good := s.submit(stream(url, 10)) // long enough to inspect while it runs
	s.encoding(good.ID, 1)
	lease := leaseOf(t, agent)
	gossip, err := os.ReadFile(filepath.Join(s.Dir(), "keys", "gossip.key"))
	s.must(err)
	secrets := map[string]string{
		"the API key": s.APIKey(), "the gossip key": strings.TrimSpace(string(gossip)),
		"the stream key": streamKey, "the lease": lease,
	}
	s.checkProcesses(secrets, agent)
	if j := s.finished(good.ID); j.Status != ffrtmp.Completed {
		t.Fatalf("got stream %s (%s), want completed\n%s", j.Status, j.Error, j.Logs)
	}
	s.must(server.Wait())
	if info, err := os.Stat(received); err != nil || info.Size() < 10_000 {
		t.Errorf("received file: got %v (%v), want at least 10 kB", info, err)
	}
	// An unreachable server: its error message is long.
	bad := s.submit(stream("rtmp://127.0.0.1:"+freePort(t)+"/live", 1))
	if j := s.finished(bad.ID); j.Status != ffrtmp.Failed || j.Error == "" {
		t.Fatalf("unreachable server: got %s (%q), want failed with an error", j.Status, j.Error)
	}
	// A refused submission does not repeat its key.
	s.wire().
		call(t, "POST", s.Master(0).URL()+"/jobs",
			`{"scenario":"360p","parameters":{"output_mode":"rtmp","rtmp_url":"nonsense","stream_key":"`+
				streamKey+`"}}`).
		want(t, 400)

	// A created key is shown once, and never again.
	made, own := s.createKey(s.Master(s.follower()), `{"name":"canary","scopes":["read"]}`)
	id, secret, _ := strings.Cut(made.Secret, ".")
	// A key in a URL is refused, because URLs end up in logs.
	own.call(t, "GET", s.Master(0).URL()+"/jobs?api_key=nonsense", "").want(t, 400)
	own.call(t, "DELETE", s.Master(0).URL()+"/keys/"+id, "").want(t, 403)
	s.wire().call(t, "DELETE", s.Master(0).URL()+"/keys/"+id, "").want(t, 200)
	for _, m := range s.Masters() {
		own.key = made.Secret
		s.eventually(
			"the key is refused",
			func() bool { return own.call(t, "POST", m.URL()+"/jobs", `{}`).status == 401 },
		)
		own.key = secret + "." + id
		own.call(t, "POST", m.URL()+"/jobs", `{}`).want(t, 401)
	}

	secrets["a made key"] = secret
	s.eventually("the agent removes its attempts", func() bool {
		left, err := os.ReadDir(filepath.Join(agent.StateDir(), "attempts"))
		return err == nil && len(left) == 0
	})
	s.checkAnswers(secrets, made.ID, good.ID, bad.ID)
	s.must(s.Stop(s.soon()))
	s.checkFiles(secrets)
	for what, secret := range secrets {
		if traces.holds(secret) {
			t.Errorf("a trace contains %s", what)
		}
	}
	if len(traces.received()) == 0 {
		t.Error("got no traces")
	}
}

// checkProcesses searches the command lines of masters, agents, supervisors and ffmpeg for secrets.
func (s *site) checkProcesses(secrets map[string]string, agent *devcluster.Agent) {
	s.t.Helper()
	running := processes(s.t, func(dir string) bool { return mentions(filepath.Join(dir, "cmdline"), s.Dir()) })
	running = append(running, s.ffmpegs(agent)...)
	if len(running) < 6 { // three masters, an agent, a supervisor, ffmpeg
		s.t.Errorf("got %d processes, want 6: %v", len(running), running)
	}
	for _, p := range running {
		for what, secret := range secrets {
			if mentions(filepath.Join("/proc", strconv.Itoa(p.pid), "cmdline"), secret) {
				s.t.Errorf("ps shows %s: %s", what, p.name)
			}
		}
	}
}

func leaseOf(t *testing.T, a *devcluster.Agent) string {
	t.Helper()
	claims, err := filepath.Glob(filepath.Join(a.StateDir(), "attempts", "*", "claim.json"))
	if err != nil || len(claims) != 1 {
		t.Fatalf("got claims %q (%v), want one", claims, err)
	}
	data, err := os.ReadFile(claims[0])
	if err != nil {
		t.Fatal(err)
	}
	var claim struct{ Lease string }
	if err := json.Unmarshal(data, &claim); err != nil || len(claim.Lease) != 32 {
		t.Fatalf("got lease %q (%v), want 32 characters", claim.Lease, err)
	}
	return claim.Lease
}

// checkAnswers searches the answers of all GET endpoints for secrets.
func (s *site) checkAnswers(secrets map[string]string, key string, jobs ...string) {
	w := s.wire()
	paths := []string{
		"/jobs",
		"/nodes",
		"/cluster",
		"/keys",
		"/keys/" + key,
		"/audit",
		"/health",
		"/health/ready",
		"/health/leader",
	}
	for _, id := range jobs {
		paths = append(paths, "/jobs/"+id, "/api/v1/jobs/"+id, "/jobs/"+id+"/logs", "/jobs/"+id+"/explain")
	}
	var urls []string
	for _, m := range s.Masters() {
		for _, path := range paths {
			urls = append(urls, m.URL()+path, m.URL()+path+"?stale")
		}
		urls = append(urls, m.MetricsURL()+"/metrics")
	}
	for _, a := range s.Agents() {
		urls = append(urls, a.MetricsURL()+"/metrics", a.MetricsURL()+"/health", a.MetricsURL()+"/ready")
	}
	for _, url := range urls {
		r := w.call(s.t, http.MethodGet, url, "")
		if r.status != http.StatusOK && r.status != http.StatusTooManyRequests {
			s.t.Errorf("GET %s: got status %d, want 200 or 429: %s", url, r.status, r.body)
		}
		for what, secret := range secrets {
			if bytes.Contains(r.body, []byte(secret)) {
				s.t.Errorf("GET %s shows %s: %s", url, what, r.body)
			}
		}
	}
}

// checkFiles searches all files of the cluster for secrets.
func (s *site) checkFiles(secrets map[string]string) {
	files := 0
	s.must(filepath.WalkDir(s.Dir(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		within, err := filepath.Rel(s.Dir(), path)
		if err != nil {
			return err
		}
		if strings.HasPrefix(within, "keys/") {
			return nil
		}
		for what, secret := range secrets {
			if bytes.Contains(data, []byte(secret)) && !mayHold(within, what) {
				s.t.Errorf("%s found in %s", what, within)
			}
		}
		info, err := d.Info()
		if err == nil && !strings.HasPrefix(within, "media/") && info.Mode().Perm()&0o077 != 0 {
			s.t.Errorf("%s: got mode %s, want none for others", within, info.Mode())
		}
		return err
	}))
	if files < 20 {
		s.t.Errorf("got %d files, want at least 20", files)
	}
}

// mayHold reports whether a file needs the secret.
func mayHold(path, secret string) bool {
	switch secret {
	case "the stream key", "the lease":
		return strings.HasPrefix(path, "master-") // in the replicated state and its log
	case "the gossip key":
		return strings.HasPrefix(path, "master-") && strings.HasSuffix(path, "/gossip.keys") // the keyring
	}
	return false
}
