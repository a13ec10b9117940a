package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// prometheus is a running Prometheus.
type prometheus struct {
	t   *testing.T
	url string
}

// scrape is a scrape job: a name and its metrics ports.
type scrape struct {
	job     string
	targets []string // http://host:port
}

func startPrometheus(t *testing.T, jobs ...scrape) *prometheus {
	t.Helper()
	dir := t.TempDir()
	config := "global: {scrape_interval: 250ms}\nscrape_configs:\n"
	for _, j := range jobs {
		targets, err := json.Marshal(j.targets)
		if err != nil {
			t.Fatal(err)
		}
		config += "- {job_name: " + j.job + ", static_configs: [{targets: " + strings.ReplaceAll(
			string(targets),
			"http://",
			"",
		) + "}]}\n"
	}
	return runPrometheus(t, dir, config)
}

// startShipped starts a Prometheus with the configuration of deploy, for these masters and agents and in a hurry.
func startShipped(t *testing.T, masters, agents []string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	shipped := filepath.Join("..", "deploy", "prometheus")
	for _, rules := range []string{"rules.yml", "v2.2-rules.yml"} {
		data, err := os.ReadFile(filepath.Join(shipped, rules))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, rules), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(filepath.Join(shipped, "prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	change := []string{"interval: 15s", "interval: 250ms", "interval: 5s", "interval: 250ms", "# - v2.2", "- v2.2"}
	for i, url := range masters {
		change = append(change, fmt.Sprintf("master-%d:9090", i+1), strings.TrimPrefix(url, "http://"))
	}
	for i, url := range agents {
		change = append(change, fmt.Sprintf("agent-%d:9091", i+1), strings.TrimPrefix(url, "http://"))
	}
	return runPrometheus(t, dir, strings.NewReplacer(change...).Replace(string(data)))
}

func runPrometheus(t *testing.T, dir, config string) *prometheus {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &prometheus{t: t, url: "http://127.0.0.1:" + freePort(t)}
	cmd := exec.Command(
		"prometheus",
		"--config.file",
		filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path",
		filepath.Join(dir, "data"),
		"--web.listen-address",
		strings.TrimPrefix(p.url, "http://"),
	)
	said := &testkit.Buffer{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (install it with make programs)", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("prometheus: %s", said)
		}
	})
	return p
}

// want waits until a query returns one value that fits.
func (p *prometheus) want(query string, fits func(float64) bool) {
	p.t.Helper()
	var last string
	began := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for time.Since(began) < patience {
		var value float64
		var ok bool
		if value, last, ok = p.ask(query); ok && fits(value) {
			return
		}
		<-tick.C
	}
	p.t.Fatalf("%s: %s", query, last)
}

// ask runs a query once; ok is false unless it returns one number.
func (p *prometheus) ask(query string) (value float64, said string, ok bool) {
	resp, err := http.Get(p.url + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return 0, err.Error(), false // not yet
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			Result []struct {
				Value [2]any `json:"value"` // when, and the number as a string
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || len(answer.Data.Result) != 1 {
		return 0, "no single answer", false
	}
	said, _ = answer.Data.Result[0].Value[1].(string)
	value, err = strconv.ParseFloat(said, 64)
	return value, said, err == nil
}

func is(want float64) func(float64) bool { return func(got float64) bool { return got == want } }

func positive(got float64) bool { return got > 0 }
