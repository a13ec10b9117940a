package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

var (
	rulesFile     = filepath.Join("..", "deploy", "prometheus", "rules.yml")
	dashboardFile = filepath.Join("..", "deploy", "grafana", "ffrtmp.json")
)

// promtool runs promtool in dir.
func promtool(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("promtool", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %q: %v\n%s", args, err, out)
	}
}

// promtool accepts the configuration, and a test shows every alert firing and silent.
func TestMonitoring_AlertsFire(t *testing.T) {
	dir := filepath.Dir(rulesFile)
	promtool(t, dir, "check", "config", "prometheus.yml")
	promtool(t, dir, "test", "rules", "rules_test.yml")
	promtool(t, dir, "test", "rules", "v2.2-rules_test.yml")
	data, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile(filepath.Join(dir, "rules_test.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, alert := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(data), -1) {
		fires := regexp.MustCompile(`alertname: ` + alert[1] + `\n\s+exp_alerts:\n`)
		if !fires.Match(tests) || !strings.Contains(string(tests), "alertname: "+alert[1]+", exp_alerts: []") {
			t.Errorf("%s: want a test for firing and one for silence", alert[1])
		}
	}
}

// panels returns the dashboard's queries by panel title.
func panels(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Panels []struct {
			Type, Title string
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	queries := map[string][]string{}
	for _, p := range doc.Panels {
		for _, target := range p.Targets {
			queries[p.Title] = append(queries[p.Title], target.Expr)
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %s: got no query", p.Title)
		}
	}
	return queries
}

// metricName matches the name of a metric in a query.
var metricName = regexp.MustCompile(`\b(?:ffmpeg_(?:master|agent)|process|go)_[a-z0-9_]+\b`)

// Every panel and alert uses metrics that masters and agents serve, in valid PromQL.
func TestMonitoring_QueriesUseServedMetrics(t *testing.T) {
	backups := t.TempDir()
	s := start(t, devcluster.Options{
		Masters: 1, Agents: 1, MasterArgs: func(int) []string { return []string{"--backup-url", backups} },
	})
	id := s.submit(
		pattern("360p25-h264", map[string]any{"output_mode": "null", "duration": 3600, "preset": "ultrafast"}),
	).ID
	s.encoding(id, 1)
	served := map[string]bool{
		"ffmpeg_agent_gpu_utilization_ratio":                true, // only with a GPU
		"ffmpeg_master_identity_conflict_timestamp_seconds": true, // only after a copy was refused
	}
	for _, url := range []string{s.Master(0).MetricsURL(), s.Agent(0).MetricsURL()} {
		s.addMetrics(served, url+"/metrics")
	}
	rules, err := os.ReadFile(rulesFile)
	s.must(err)
	asked := map[string][]string{"rules.yml": {string(rules)}}
	var recorded strings.Builder
	recorded.WriteString("groups:\n- name: panels\n  rules:\n")
	for title, queries := range panels(t) {
		asked[title] = queries
		for _, query := range queries {
			fmt.Fprintf(&recorded, "  - {record: panel, expr: %q}\n", query)
		}
	}
	for where, queries := range asked {
		for _, query := range queries {
			for _, name := range metricName.FindAllString(query, -1) {
				if !served[name] {
					t.Errorf("%s: metric %s is not served", where, name)
				}
			}
		}
	}
	path := filepath.Join(t.TempDir(), "panels.yml")
	s.must(os.WriteFile(path, []byte(recorded.String()), 0o600))
	promtool(t, ".", "check", "rules", "--lint=none", path)
}

// addMetrics adds the names of the metrics at url.
func (s *site) addMetrics(names map[string]bool, url string) {
	r := s.wire().call(s.t, "GET", url, "")
	r.want(s.t, 200)
	for lines := bufio.NewScanner(strings.NewReader(string(r.body))); lines.Scan(); {
		if name := metricName.FindString(lines.Text()); strings.HasPrefix(lines.Text(), name) && name != "" {
			names[name] = true
		}
	}
}

// The compose file uses known settings and existing secrets; only init sees the CA key.
func TestCompose_SettingsAndSecrets(t *testing.T) {
	s := &site{t: t}
	dir := filepath.Join("..", "deploy", "docker")
	secrets := t.TempDir()
	for _, name := range []string{"ca", "master", "agent"} {
		s.must(os.Mkdir(filepath.Join(secrets, name), 0o700))
	}
	made := func() string {
		s.runMoved(filepath.Join(dir, "init.sh"), secrets, shared.bin)
		key, err := os.ReadFile(filepath.Join(secrets, "master", "api-key"))
		s.must(err)
		return string(key)
	}
	if first, again := made(), made(); first != again || len(first) < 40 {
		t.Errorf("got API key %q, want %q: it is created once", again, first)
	}
	s.checkAgentKeys(dir, secrets)

	data, err := os.ReadFile(filepath.Join(dir, "compose.yaml"))
	s.must(err)
	var file struct {
		Services map[string]struct {
			Image       string
			Volumes     []string
			Environment map[string]string
		}
	}
	s.must(yaml.Unmarshal(data, &file))
	programs := 0
	for name, service := range file.Services {
		program, ours := strings.CutPrefix(service.Image, "ffrtmp-")
		mounts := strings.Join(service.Volumes, " ")
		if strings.Contains(mounts, "ca:/") != (name == "init") {
			t.Errorf("%s mounts %s", name, mounts)
		}
		if !ours || name == "init" || name == "cli" || name == "agent-keys" {
			continue
		}
		programs++
		checkSettings(t, program, service.Environment)
		for setting, value := range service.Environment {
			file, secret := strings.CutPrefix(value, "/etc/ffmpeg-rtmp/")
			if !secret {
				continue
			}
			if !strings.Contains(mounts, program+"-secrets:/etc/ffmpeg-rtmp:ro") {
				t.Errorf("%s mounts %s", name, mounts)
			}
			if _, err := os.Stat(filepath.Join(secrets, program, file)); err != nil {
				t.Errorf("%s of %s: %v", setting, name, err)
			}
		}
	}
	if programs != 5 {
		t.Errorf("got %d masters and agents, want 5", programs)
	}
	for _, program := range []string{"master", "agent"} {
		text, err := os.ReadFile(filepath.Join(dir, "Dockerfile."+program))
		s.must(err)
		checkSettings(
			t,
			program,
			environment(regexp.MustCompile(`FFRTMP_[A-Z_]+=\S+`).FindAllString(string(text), -1)),
		)
	}
}

// runMoved runs a script of an image with another directory of secrets, as any user.
func (s *site) runMoved(path, secrets, programs string) {
	s.t.Helper()
	script, err := os.ReadFile(path)
	s.must(err)
	moved := strings.NewReplacer("cd /secrets", "cd "+secrets, "chown ", ": chown ").Replace(string(script))
	cmd := exec.Command("sh", "-c", moved)
	cmd.Env = append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", path, err, out)
	}
}

// checkAgentKeys makes the agents' keys with an ffrtmp that prints its arguments: each agent gets one with its own
// scope, once, and none the administrator's.
func (s *site) checkAgentKeys(dir, secrets string) {
	s.t.Helper()
	programs := s.t.TempDir()
	fake := "#!/bin/sh\necho \"$@\"\necho >>" + filepath.Join(programs, "runs") + "\n"
	s.must(os.WriteFile(filepath.Join(programs, "ffrtmp"), []byte(fake), 0o700))
	for range 2 {
		s.runMoved(filepath.Join(dir, "agent-keys.sh"), secrets, programs)
	}
	for _, name := range []string{"agent-1", "agent-2"} {
		key, err := os.ReadFile(filepath.Join(secrets, "agent", name+".api-key"))
		s.must(err)
		if want := "keys create " + name + " --scope agent\n"; string(key) != want {
			s.t.Errorf("key of %s: got that of ffrtmp %q, want %q", name, key, want)
		}
	}
	runs, err := os.ReadFile(filepath.Join(programs, "runs"))
	s.must(err)
	if len(runs) != 2 {
		s.t.Errorf("got %d created keys after two starts, want 2", len(runs))
	}
	if _, err := os.Stat(filepath.Join(secrets, "agent", "api-key")); err == nil {
		s.t.Error("got the administrator's key among the agents' secrets, want it not there")
	}
}
