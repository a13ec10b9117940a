package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

const testCluster = "test"

// steady has timeouts so long that a busy machine holds no election that a test
// has not caused. Children (child_test.go) have their own.
var steady = Timing{
	Heartbeat: 3 * time.Second, Election: 3 * time.Second,
	Lease: 2 * time.Second, Stabilization: Local.Stabilization,
}

// authority issues the certificates of one test.
type authority struct {
	t   testing.TB
	ca  *certs.CA
	dir string
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	ca, err := certs.NewCA("test CA", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), ca.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return &authority{t: t, ca: ca, dir: dir}
}

// files issues a certificate for the role in the cluster.
func (a *authority) files(cluster string, role certs.Role, name string) certs.Files {
	a.t.Helper()
	cert, key, err := a.ca.Issue(certs.Request{
		CommonName: name, Cluster: cluster, Role: role, Name: name, Lifetime: time.Hour,
	})
	if err != nil {
		a.t.Fatal(err)
	}
	base := filepath.Join(a.dir, fmt.Sprintf("%s-%s-%s", cluster, role, name))
	f := certs.Files{Cert: base + ".crt", Key: base + ".key", CA: filepath.Join(a.dir, "ca.crt")}
	if err := certs.WritePair(f.Cert, f.Key, cert, key); err != nil {
		a.t.Fatal(err)
	}
	return f
}

// peer returns both sides of the peer port for such a certificate.
func (a *authority) peer(cluster string, role certs.Role, name string) (server, client *tls.Config) {
	a.t.Helper()
	store, err := certs.Open(a.files(cluster, role, name), hclog.NewNullLogger())
	if err != nil {
		a.t.Fatal(err)
	}
	return store.Peer(testCluster)
}

// master is a node of a test with its state machine.
type master struct {
	*Node
	sm  *toy
	cfg Config
	t   testing.TB
	// authority is set by form.
	authority *authority
	// answer replaces the handler of forwarded requests.
	answer atomic.Value // of func(http.ResponseWriter, *http.Request)
}

func testLogger(name string) hclog.Logger {
	level := hclog.LevelFromString(os.Getenv("CLUSTER_TEST_LOG"))
	if level == hclog.NoLevel {
		level = hclog.Off
	}
	return hclog.New(&hclog.LoggerOptions{Name: name, Level: level, Output: os.Stderr})
}

// config is a master's on loopback with free ports.
func (a *authority) config(name string, expect int, join ...string) Config {
	server, client := a.peer(testCluster, certs.RoleMaster, name)
	return Config{
		Dir: filepath.Join(a.t.TempDir(), name), Cluster: testCluster, Version: "v-" + name,
		APIURL: "https://" + name, Expect: expect, Join: join, Bind: "127.0.0.1",
		GossipKeys:    [][]byte{[]byte("0123456789abcdef")},
		PeerServerTLS: server, PeerClientTLS: client,
		Timing: steady, Logger: testLogger(name),
		statusTimeout: 10 * time.Second, twinTimeout: testkit.Patience / 4,
	}
}

func start(t testing.TB, cfg Config) *master {
	t.Helper()
	m := &master{sm: &toy{}, cfg: cfg, t: t}
	cfg.Forward = http.HandlerFunc(m.forwarded)
	node, err := Open(cfg, m.sm)
	if err != nil {
		t.Fatal(err)
	}
	m.Node = node
	t.Cleanup(m.stop)
	return m
}

func (m *master) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	if err := m.Close(ctx); err != nil {
		m.t.Errorf("close: %v", err)
	}
}

// forwarded applies the body of a forwarded request.
func (m *master) forwarded(w http.ResponseWriter, r *http.Request) {
	if answer, ok := m.answer.Load().(func(http.ResponseWriter, *http.Request)); ok {
		answer(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	index, _, err := m.Apply(r.Context(), body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprint(w, index)
}

// restart closes the master and opens it again, by default on other ports.
func (m *master) restart(change func(*Config)) *master {
	m.t.Helper()
	m.stop()
	cfg := m.cfg
	if change != nil {
		change(&cfg)
	}
	return start(m.t, cfg)
}

// testContext is testkit.Context.
func testContext(t testing.TB) context.Context { return testkit.Context(t) }

// form starts n masters that join the first and waits for the cluster.
func form(t testing.TB, n int) []*master {
	t.Helper()
	return formWith(t, n, func(int, *Config) {})
}

// formWith is form with a change to each configuration.
func formWith(t testing.TB, n int, change func(i int, cfg *Config)) []*master {
	t.Helper()
	a := newAuthority(t)
	masters := make([]*master, n)
	var join []string
	for i := range masters {
		cfg := a.config("m"+strconv.Itoa(i), n, join...)
		change(i, &cfg)
		masters[i] = start(t, cfg)
		masters[i].authority = a
		join = []string{masters[0].gossipAddr()}
	}
	waitReady(t, masters...)
	return masters
}

// startSolo starts a single master on disk.
func startSolo(t testing.TB) *master {
	t.Helper()
	m := start(t, Config{Cluster: testCluster, Expect: 1, Dir: t.TempDir(), Logger: testLogger("solo")})
	waitReady(t, m)
	return m
}

// without returns the masters except one.
func without(masters []*master, one *master) []*master {
	return slices.DeleteFunc(slices.Clone(masters), func(m *master) bool { return m == one })
}

func waitReady(t testing.TB, masters ...*master) {
	t.Helper()
	for _, m := range masters {
		testkit.Eventually(t, m.cfg.Version+" ready", func() bool { return m.Ready() == nil })
	}
}

// leader waits for the one leader that all masters agree on.
func leader(t testing.TB, masters ...*master) *master {
	t.Helper()
	var found *master
	testkit.Eventually(t, "one leader", func() bool {
		found = nil
		for _, m := range masters {
			if m.IsLeader() {
				found = m
			}
		}
		if found == nil {
			return false
		}
		for _, m := range masters {
			if l, ok := m.Leader(); !ok || l.ID != found.ID() {
				return false
			}
		}
		return true
	})
	return found
}

func follower(t testing.TB, masters ...*master) *master {
	t.Helper()
	return without(masters, leader(t, masters...))[0]
}

// write applies a command at the leader; twice, perhaps, when a busy machine
// elects another leader meanwhile.
func write(t testing.TB, command string, masters ...*master) {
	t.Helper()
	for {
		_, _, err := leader(t, masters...).Apply(testkit.Context(t), []byte(command))
		if err == nil {
			return
		}
		if !errors.Is(err, raft.ErrNotLeader) && !errors.Is(err, raft.ErrLeadershipLost) {
			t.Fatalf("apply %q: got %v, want none", command, err)
		}
	}
}

// waitApplied waits until every master has the command.
func waitApplied(t testing.TB, command string, masters ...*master) {
	t.Helper()
	for _, m := range masters {
		testkit.Eventually(t, m.cfg.Version+" applies "+command, func() bool { return m.sm.has(command) })
	}
}

// deliver repeats post while a busy machine takes longer to connect than a master
// waits: nothing has been sent then.
func deliver(t testing.TB, m *master, body string) (status int, answer string, err error) {
	t.Helper()
	testkit.Eventually(t, "a connection to the leader", func() bool {
		status, answer, err = post(t, m, body)
		return !errors.Is(err, ErrNotSent)
	})
	return status, answer, err
}

// post sends a body through the master's LeaderTransport and returns the answer.
func post(t testing.TB, m *master, body string) (status int, answer string, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(
		testkit.Context(t), http.MethodPost, "https://leader/write", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := m.LeaderTransport().RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}
