package cluster

import (
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// connect opens a connection with the protocol and sends a hello. It returns the
// error by which the master refused it.
func connect(t *testing.T, m *master, config *tls.Config, protocol string, h hello) error {
	t.Helper()
	config = config.Clone()
	config.NextProtos = []string{protocol}
	conn, err := (&tls.Dialer{Config: config}).DialContext(testkit.Context(t), "tcp", m.peerAddr())
	if err != nil {
		return err
	}
	defer conn.Close()
	return sendHello(conn, h, func(ack) error { return nil })
}

// client returns a client that presents a certificate for the role and accepts
// any server.
func (a *authority) client(cluster string, role certs.Role) *tls.Config {
	a.t.Helper()
	f := a.files(cluster, role, "stranger")
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		a.t.Fatal(err)
	}
	return &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}}
}

// Everyone but masters of this cluster is refused before Raft sees a connection.
func TestPeerPort_Strangers(t *testing.T) {
	t.Parallel()
	m := form(t, 3)[0]
	good := hello{Cluster: m.ClusterID(), From: "stranger", To: m.ID()}
	with := func(change func(*hello)) hello {
		h := good
		change(&h)
		return h
	}
	a := m.authority
	member := a.client(testCluster, certs.RoleMaster)
	old := member.Clone()
	old.MaxVersion = tls.VersionTLS12
	tests := []struct {
		name     string
		config   *tls.Config
		protocol string
		hello    hello
		accepted bool
	}{
		{"master of this cluster", member, protocolRaft, good, true},
		{"agent", a.client(testCluster, certs.RoleAgent), protocolRaft, good, false},
		{"master of another cluster's name", a.client("other", certs.RoleMaster), protocolRaft, good, false},
		{"master of another CA", newAuthority(t).client(testCluster, certs.RoleMaster), protocolRaft, good, false},
		{"no certificate", &tls.Config{InsecureSkipVerify: true}, protocolRaft, good, false},
		{"TLS 1.2", old, protocolRaft, good, false},
		{"unknown protocol", member, "http/1.1", good, false},
		{"another cluster id", member, protocolRaft, with(func(h *hello) { h.Cluster = "another" }), false},
		{"no cluster id", member, protocolRaft, with(func(h *hello) { h.Cluster = "" }), false},
		{"for another member", member, protocolRaft, with(func(h *hello) { h.To = "another" }), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := connect(t, m, tt.config, tt.protocol, tt.hello)
			if accepted := err == nil; accepted != tt.accepted {
				t.Errorf("got accepted %v (%v), want %v", accepted, err, tt.accepted)
			}
		})
	}
}

// logLines receives the lines of a log.
type logLines chan string

func (l logLines) Write(p []byte) (int, error) {
	select {
	case l <- string(p):
	default:
	}
	return len(p), nil
}

// A refused peer is logged: no cluster forms, and each master looks healthy, so
// nothing else shows the reason.
func TestPeerPort_RefusalLogged(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	log := make(logLines, 1000)
	cfg := a.config("m0", 3)
	cfg.Logger = hclog.New(&hclog.LoggerOptions{Output: log})
	m := start(t, cfg)

	probe, err := net.Dial("tcp", m.peerAddr()) // not logged
	if err != nil {
		t.Fatal(err)
	}
	probe.Close()
	_, agent := a.peer(testCluster, certs.RoleAgent, "stranger")
	if err := connect(t, m, agent, protocolRaft, hello{}); err == nil {
		t.Fatal("agent: got accepted, want refused")
	}
	for ctx := testkit.Context(t); ; {
		select {
		case line := <-log:
			if !strings.Contains(line, "peer port: refused") {
				continue
			}
			for _, want := range []string{"[WARN]", "remote=127.0.0.1", "ffrtmp://" + testCluster + "/agent/stranger"} {
				if !strings.Contains(line, want) {
					t.Errorf("got %s, want %q in it", line, want)
				}
			}
			return
		case <-ctx.Done():
			t.Fatal("got no log line, want one about the refused agent")
		}
	}
}

// listenAsAgent accepts every hello on a peer port with an agent's certificate.
func listenAsAgent(t *testing.T, a *authority) (addr string) {
	t.Helper()
	server, _ := a.peer(testCluster, certs.RoleAgent, "impostor")
	server = server.Clone()
	server.NextProtos, server.VerifyConnection = []string{protocolRaft}, nil
	ln, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = receiveHello(conn, func(hello) (ack, error) { return ack{}, nil }) // the dialer refuses
			conn.Close()
		}
	}()
	return ln.Addr().String()
}

// A master does not speak Raft to another process that now has a member's address.
func TestStreamLayer_DialStranger(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	dial := func() error {
		conn, err := masters[0].stream.Dial(raft.ServerAddress(masters[1].ID()), dialTimeout)
		if err == nil {
			conn.Close()
		}
		return err
	}
	testkit.Eventually(t, "the member is dialed", func() bool { return dial() == nil }) // dialTimeout may pass
	for name, addr := range map[string]string{
		"an agent": listenAsAgent(t, masters[0].authority), "another member": masters[2].peerAddr(),
	} {
		masters[0].book.learn(masters[1].ID(), address{Peer: addr, Starts: 1 << 40})
		if err := dial(); err == nil {
			t.Errorf("%s at the member's address: got a connection, want an error", name)
		}
	}
}

// A request forwarded from another cluster is refused.
func TestForward_OtherCluster(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	m := start(t, a.config("m0", 1))
	waitReady(t, m)
	_, client := a.peer(testCluster, certs.RoleMaster, "stranger")
	book := &addressBook{storage: &storage{}, known: map[string]address{m.ID(): {Peer: m.peerAddr()}}}
	peers := newPeerClient(book, client)
	defer peers.closeIdle()
	for cluster, want := range map[string]int{m.ClusterID(): http.StatusOK, "another": http.StatusMisdirectedRequest} {
		testkit.Eventually(t, "an answer", func() bool { // dialTimeout may pass
			req, err := http.NewRequestWithContext(
				testkit.Context(t), http.MethodPost, "https://"+m.ID()+"/write", strings.NewReader("x"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set(headerCluster, cluster)
			resp, err := peers.http.RoundTrip(req)
			if err != nil {
				return false
			}
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("cluster %q: got %d, want %d", cluster, resp.StatusCode, want)
			}
			return true
		})
	}
}

// Connections that never show a certificate do not block the port.
func TestPeerPort_SilentConnections(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	m := start(t, a.config("m0", 1))
	waitReady(t, m)
	for range 8 {
		conn, err := net.Dial("tcp", m.peerAddr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	_, client := a.peer(testCluster, certs.RoleMaster, "member")
	err := connect(t, m, client, protocolRaft, hello{Cluster: m.ClusterID(), From: "x", To: m.ID()})
	if err != nil {
		t.Error(err)
	}
}
