package e2e

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
)

const key = "MASTER_API_KEY=a-key-for-tests"

// single is a single master.
type single struct {
	*program
	*wire
	url string
	api string // port
	met string // port
}

// launchMaster starts a master in dir and waits until it answers.
func launchMaster(t *testing.T, dir string, args ...string) *single {
	t.Helper()
	m, ready := tryMaster(t, dir, args...)
	if !ready {
		t.Fatal("master exited")
	}
	return m
}

// tryMaster starts a master in dir and waits until it answers or exits.
func tryMaster(t *testing.T, dir string, args ...string) (m *single, ready bool) {
	t.Helper()
	m = &single{api: freePort(t), met: freePort(t), wire: &wire{key: strings.TrimPrefix(key, "MASTER_API_KEY=")}}
	m.program = launch(
		t,
		dir,
		[]string{key},
		"master",
		append([]string{"--port", m.api, "--metrics-port", m.met}, args...)...)
	scheme := "https"
	if slices.Contains(args, "--tls=false") {
		scheme = "http"
	}
	m.url = scheme + "://localhost:" + m.api
	began := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		// The master creates the certificate first.
		m.http = trusting(t, filepath.Join(dir, "certs", "master.crt"))
		r, err := m.send(t.Context(), "GET", m.url+"/health/ready", "")
		if err == nil && r.status == http.StatusOK {
			return m, true
		}
		if time.Since(began) > patience {
			t.Fatalf("master not ready: %v %s", err, r.body)
		}
		select {
		case <-m.ended:
			return m, false
		case <-tick.C:
		}
	}
}

// trusting returns a client that trusts the certificate in a file, like curl --cacert.
func trusting(t *testing.T, cert string) *http.Client {
	pool := x509.NewCertPool()
	if pem, err := os.ReadFile(cert); err == nil {
		pool.AppendCertsFromPEM(pem)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// A master without flags opens two ports, serves TLS and keeps its jobs over kill -9.
func TestSingle_WithoutFlags(t *testing.T) {
	dir := t.TempDir()
	m := launchMaster(t, dir)
	var j ffrtmp.Job
	m.call(t, "POST", m.url+"/jobs", `{"scenario":"1080p30-h264"}`).want(t, 201).decode(t, &j)
	ports := openPorts(t, m.cmd.Process.Pid)
	want := []string{"tcp/" + m.api, "tcp/" + m.met}
	slices.Sort(ports)
	slices.Sort(want)
	if !slices.Equal(ports, want) {
		t.Errorf("got open ports %q, want %q", ports, want)
	}
	if info, err := os.Stat(filepath.Join(dir, "certs", "master.key")); err != nil || info.Mode() != 0o600 {
		t.Errorf("got key file %v (%v), want mode 0600", info, err)
	}
	plain := &wire{http: http.DefaultClient, key: m.key}
	if r, err := plain.send(t.Context(), "GET", strings.Replace(m.url, "https", "http", 1)+"/jobs", ""); err == nil &&
		r.status != http.StatusBadRequest {
		t.Errorf("without TLS: got status %d, want 400: %s", r.status, r.body)
	}
	if _, err := plain.send(t.Context(), "GET", m.url+"/jobs", ""); err == nil {
		t.Error("untrusted certificate: got an answer, want an error")
	}
	pending := querySQLite(t, filepath.Join(dir, "master.db"), `SELECT id FROM jobs WHERE status = 'pending'`)
	if pending != j.ID {
		t.Errorf("sqlite3: got pending job %q, want %s", pending, j.ID)
	}

	m.kill()
	m = launchMaster(t, dir)
	var again ffrtmp.Job
	m.call(t, "GET", m.url+"/jobs/1", "").want(t, 200).decode(t, &again)
	if again.ID != j.ID {
		t.Errorf("after kill -9: got job %+v, want %s", again, j.ID)
	}
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := m.status(t); status != 0 {
		t.Errorf("got exit status %d, want 0", status)
	}
}

// querySQLite returns the single value of a query, like sqlite3.
func querySQLite(t *testing.T, path, query string) (value string) {
	t.Helper()
	db, err := sql.Open("sqlite", sqlitedsn.File(path, "mode=ro", "_pragma=busy_timeout(5000)"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(query).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// A master with --db "" leaves no file.
func TestSingle_InMemoryWritesNothing(t *testing.T) {
	dir := t.TempDir()
	m := launchMaster(
		t,
		dir,
		"--db",
		"",
		"--tls=false",
		"--max-retries=0",
		"--metrics=false",
	) // v2.2's line for development
	if c, err := net.Dial("tcp", "localhost:"+m.met); err == nil {
		c.Close()
		t.Error("got a listener on --metrics-port, want none")
	}
	m.call(t, "POST", m.url+"/jobs", `{"scenario":"1080p30-h264"}`).want(t, 201)
	m.call(t, "GET", m.url+"/jobs/1", "").want(t, 200)
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := m.status(t); status != 0 {
		t.Errorf("got exit status %d, want 0", status)
	}
	if found, err := os.ReadDir(dir); err != nil || len(found) > 0 {
		t.Errorf("got files %v (%v), want none", found, err)
	}
}

// A database of another program is refused and stays as it was.
func TestSingle_ForeignDatabase(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "master.db")
	db, err := sql.Open("sqlite", sqlitedsn.File(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`CREATE TABLE nodes (id TEXT PRIMARY KEY, name TEXT, address TEXT, status TEXT, last_heartbeat DATETIME)`,
		`CREATE TABLE jobs (id TEXT PRIMARY KEY, sequence_number INTEGER UNIQUE,
			scenario TEXT, status TEXT, parameters TEXT, created_at DATETIME)`,
		`INSERT INTO jobs VALUES ('96d9361e-3e52-4354-8096-73827c55a0a9', 1,
			'4K60-h264', 'pending', '{}', '2026-11-22 07:03:34.969877811+00:00')`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before := contents(t, dir)
	m := launch(t, dir, []string{key}, "master", "--port", freePort(t), "--metrics-port", freePort(t), "--tls=false")
	if status := m.status(t); status != 1 || !strings.Contains(m.output.String(), "ffrtmp import") {
		t.Errorf("got status %d, want 1 and the hint to ffrtmp import:\n%s", status, m.output)
	}
	if after := contents(t, dir); !slices.Equal(before, after) {
		t.Errorf("got directory %q, want %q", after, before)
	}
}

// contents lists the files under dir with their hashes.
func contents(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		list = append(list, fmt.Sprintf("%s %x", path, sha256.Sum256(data)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Wrong flags and settings exit with 2 and one line that names the right one.
func TestUsage_ErrorsAreOneLine(t *testing.T) {
	tests := []struct {
		name    string
		program string
		args    []string
		env     []string
		status  int
		says    string
	}{
		{"an unknown flag", "master", []string{"--prot", "8080"}, []string{key}, 2, "--port"},
		{"a word left over", "master", []string{"serve"}, []string{key}, 2, "serve"},
		{"a port out of range", "master", []string{"--port", "70000"}, []string{key}, 2, "--port"},
		{"a number that is none", "master", []string{"--max-retries=many"}, []string{key}, 2, "max-retries"},
		{"no lease at all", "master", []string{"--lease-ttl", "0s"}, []string{key}, 2, "--lease-ttl"},
		{"mutual TLS without a CA", "master", []string{"--mtls"}, []string{key}, 2, "--ca"},
		{
			"a cluster of nobody",
			"master",
			[]string{"--bootstrap-expect", "0"},
			[]string{key},
			2,
			"--bootstrap-expect",
		},
		{
			"a cluster without gossip keys",
			"master",
			[]string{"--bootstrap-expect", "3", "--ca", "ca.crt"},
			[]string{key},
			2,
			"--gossip-key-file",
		},
		{"a wrong value in the environment", "master", nil, []string{key, "FFRTMP_PORT=none"}, 2, "FFRTMP_PORT"},
		{"no API key", "master", nil, nil, 1, "MASTER_API_KEY"},
		{"an empty API key with TLS", "master", nil, []string{"MASTER_API_KEY="}, 1, "--tls=false"},
		{"an agent's unknown flag", "agent", []string{"--masters", "https://m:8080"}, []string{key}, 2, "--master"},
		{"an agent's URL that is none", "agent", []string{"--master", "m1:8080"}, []string{key}, 2, "--master"},
		{"an agent's word left over", "agent", []string{"run"}, []string{key}, 2, "run"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			p := launch(t, dir, test.env, test.program, test.args...)
			status := p.status(t)
			text := p.output.String()
			if status != test.status || !strings.Contains(text, test.says) ||
				!strings.HasPrefix(text, test.program+": ") {
				t.Errorf("got status %d, want %d and a line with %s:\n%s", status, test.status, test.says, text)
			}
			if lines := strings.Count(text, "\n"); status == 2 && lines != 1 {
				t.Errorf("got %d lines, want one:\n%s", lines, text)
			}
			if found, err := os.ReadDir(dir); err != nil || len(found) > 0 {
				t.Errorf("got files %v (%v), want none", found, err)
			}
		})
	}
}
