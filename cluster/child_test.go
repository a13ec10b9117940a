package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

const childEnv = "FFRTMP_CLUSTER_CHILD"

// TestMain runs a master instead of the tests when it is started as a child: only
// a separate process can be killed or frozen.
func TestMain(m *testing.M) {
	spec := os.Getenv(childEnv)
	if spec == "" {
		// The tests mostly wait for elections, but more clusters than this at a
		// time starve each other on a busy machine: TLS handshakes time out and
		// are repeated.
		flag.Parse()
		if err := flag.Set("test.parallel", "3"); err != nil {
			panic(err)
		}
		os.Exit(m.Run())
	}
	if err := runChild(spec); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

// childSpec configures a child.
type childSpec struct {
	Name     string
	Dir      string
	Certs    certs.Files
	Expect   int
	Join     []string
	PeerPort int
	Timing   Timing // zero: the default
	Log      string
}

// childState is what a child prints on the first line of its output.
type childState struct{ ID, Peer, Gossip, HTTP string }

func runChild(spec string) error {
	var s childSpec
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		return err
	}
	store, err := certs.Open(s.Certs, hclog.NewNullLogger())
	if err != nil {
		return err
	}
	server, client := store.Peer(testCluster)
	m := &master{sm: &toy{}}
	m.Node, err = Open(Config{
		Dir: s.Dir, Cluster: testCluster, Version: s.Name, Expect: s.Expect, Join: s.Join,
		Bind: "127.0.0.1", PeerPort: s.PeerPort, PeerServerTLS: server, PeerClientTLS: client, Timing: s.Timing,
		Forward: http.HandlerFunc(m.forwarded), Logger: testLogger(s.Name),
	}, m.sm)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(ln, childAPI(m)) }()
	state := childState{m.ID(), m.peerAddr(), m.gossipAddr(), ln.Addr().String()}
	if err := json.NewEncoder(os.Stdout).Encode(state); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
	cctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return m.Close(cctx)
}

// childAPI serves a child's clients: POST / writes through any master; GET /leads,
// /ready and /commands report on this one.
func childAPI(m *master) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if err := m.writeAnywhere(r.Context(), string(body)); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /leads", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, m.IsLeader()) })
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, m.Ready() == nil) })
	mux.HandleFunc("GET /commands", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Join(m.sm.all(), "\n"))
	})
	return mux
}

// writeAnywhere does what an API in front of a node does: it forwards a write to
// the leader, and waits while there is none.
func (m *master) writeAnywhere(ctx context.Context, command string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		changed := m.LeaderChanged()
		err := m.writeOnce(ctx, command)
		if !errors.Is(err, ErrNotSent) && !errors.Is(err, raft.ErrNotLeader) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-time.After(20 * time.Millisecond): // the leader is known but cannot be reached
		}
	}
}

func (m *master) writeOnce(ctx context.Context, command string) error {
	if m.IsLeader() {
		_, _, err := m.Apply(ctx, []byte(command))
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://leader/write", strings.NewReader(command))
	if err != nil {
		return err
	}
	resp, err := m.LeaderTransport().RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode == http.StatusOK:
		return nil
	case strings.Contains(string(body), raft.ErrNotLeader.Error()):
		return raft.ErrNotLeader
	}
	return fmt.Errorf("leader answered %d: %s", resp.StatusCode, body)
}

// child is a master in a separate process.
type child struct {
	childState
	spec childSpec
	cmd  *exec.Cmd
	t    *testing.T
}

func startChild(t *testing.T, spec childSpec) *child {
	t.Helper()
	data, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+string(data))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{spec: spec, cmd: cmd, t: t}
	t.Cleanup(c.kill)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("child %s: %v", spec.Name, err)
	}
	if err := json.Unmarshal(line, &c.childState); err != nil {
		t.Fatal(err)
	}
	return c
}

// formChildren starts three masters in separate processes.
func formChildren(t *testing.T, timing Timing) []*child {
	t.Helper()
	a := newAuthority(t)
	var children []*child
	for _, name := range []string{"m0", "m1", "m2"} {
		spec := childSpec{
			Name: name, Dir: t.TempDir(), Expect: 3, Timing: timing,
			Certs: a.files(testCluster, certs.RoleMaster, name),
		}
		for _, other := range children {
			spec.Join = append(spec.Join, other.Gossip)
		}
		children = append(children, startChild(t, spec))
	}
	for _, c := range children {
		testkit.Eventually(t, c.spec.Name+" ready", func() bool { return c.get("ready") == "true" })
	}
	return children
}

// kill kills the process.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may be dead already
	_ = c.cmd.Wait()
}

func (c *child) signal(sig syscall.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(sig); err != nil {
		c.t.Fatal(err)
	}
}

// get asks the child; "" when it does not answer.
func (c *child) get(path string) string {
	client := http.Client{Timeout: time.Second}
	resp, err := client.Get("http://" + c.HTTP + "/" + path)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(body)
}

const (
	stop   = syscall.SIGSTOP
	resume = syscall.SIGCONT
)

// has reports whether the child has applied every command.
func (c *child) has(commands []string) bool {
	have := strings.Split(c.get("commands"), "\n")
	slices.Sort(have)
	return !slices.ContainsFunc(commands, func(command string) bool {
		_, found := slices.BinarySearch(have, command)
		return !found
	})
}

// leadingChild waits for the child that leads.
func leadingChild(t *testing.T, children []*child) int {
	t.Helper()
	found := -1
	testkit.Eventually(t, "a leader among the children", func() bool {
		for i, c := range children {
			if c.get("leads") == "true" {
				found = i
				return true
			}
		}
		return false
	})
	return found
}
