package cluster

import (
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/certs"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// knock opens a connection with the protocol and greets the master as if from
// another. It returns the error by which it was refused.
func knock(t *testing.T, m *master, config *tls.Config, protocol string, g hello) error {
	t.Helper()
	config = config.Clone()
	config.NextProtos = []string{protocol}
	conn, err := (&tls.Dialer{Config: config}).DialContext(testContext(t), "tcp", m.PeerAddr())
	if err != nil {
		return err
	}
	defer conn.Close()
	return sendHello(conn, g)
}

// Whoever is not a master of this cluster is refused before Raft sees a
// connection, let alone a byte.
func TestPeerPortRefusesStrangers(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	masters := form(t, a, 3)
	m := masters[0]
	good := hello{Cluster: m.ClusterID(), From: "stranger", To: m.ID()}
	with := func(change func(*hello)) hello {
		g := good
		change(&g)
		return g
	}
	clientOf := func(a *authority, cluster string, role certs.Role) *tls.Config {
		f := a.files(cluster, role, "stranger")
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{
			InsecureSkipVerify: true, // the stranger does not care who answers
			Certificates:       []tls.Certificate{pair},
		}
	}
	member := clientOf(a, testCluster, certs.RoleMaster)
	old := member.Clone()
	old.MaxVersion = tls.VersionTLS12
	tests := []struct {
		name     string
		config   *tls.Config
		protocol string
		hello    hello
		admitted bool
	}{
		{"master of this cluster", member, protocolRaft, good, true},
		{"agent", clientOf(a, testCluster, certs.RoleAgent), protocolRaft, good, false},
		{"master of another cluster's name", clientOf(a, "other", certs.RoleMaster), protocolRaft, good, false},
		{"master of another authority", clientOf(newAuthority(t), testCluster, certs.RoleMaster), protocolRaft, good, false},
		{"no certificate", &tls.Config{InsecureSkipVerify: true}, protocolRaft, good, false},
		{"TLS 1.2", old, protocolRaft, good, false},
		{"unknown protocol", member, "http/1.1", good, false},
		{"another cluster id", member, protocolRaft, with(func(g *hello) { g.Cluster = "another" }), false},
		{"no cluster id", member, protocolRaft, with(func(g *hello) { g.Cluster = "" }), false},
		{"meant for another member", member, protocolRaft, with(func(g *hello) { g.To = "another" }), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := knock(t, m, tt.config, tt.protocol, tt.hello)
			if (err == nil) != tt.admitted {
				t.Errorf("admitted: %v (%v), want %v", err == nil, err, tt.admitted)
			}
		})
	}
}

// lines is a log that can be waited for.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	select {
	case l <- string(p):
	default:
	}
	return len(p), nil
}

// A master whose certificate the others do not take is told of nowhere else: no
// cluster forms, and each of them looks healthy.
func TestRefusedPeersAreLogged(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	log := make(lines, 1000)
	cfg := a.config("m0", 3)
	cfg.Logger = hclog.New(&hclog.LoggerOptions{Output: log})
	m := start(t, cfg)

	probe, err := net.Dial("tcp", m.PeerAddr())
	if err != nil {
		t.Fatal(err)
	}
	probe.Close()
	_, agent := a.peer(testCluster, certs.RoleAgent, "stranger")
	if err := knock(t, m, agent, protocolRaft, hello{}); err == nil {
		t.Fatal("an agent was admitted")
	}
	for ctx := testContext(t); ; {
		select {
		case line := <-log:
			if !strings.Contains(line, "peer port: refused") {
				continue
			}
			for _, want := range []string{"[WARN]", "remote=127.0.0.1", "ffrtmp://" + testCluster + "/agent/stranger"} {
				if !strings.Contains(line, want) {
					t.Errorf("%q is not in %s", want, line)
				}
			}
			return
		case <-ctx.Done():
			t.Fatal("the log does not say that an agent was refused")
		}
	}
}

// The other direction: a master does not speak Raft to whoever happens to have
// a member's address now.
func TestDialerRefusesWhoeverIsNotTheMember(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	masters := form(t, a, 3)
	dial := func() error {
		conn, err := masters[0].stream.Dial(raft.ServerAddress(masters[1].ID()), dialTimeout)
		if err == nil {
			conn.Close()
		}
		return err
	}
	eventually(t, "the member is dialed", func() bool { return dial() == nil }) // a busy machine may take longer than a dial may
	server, _ := a.peer(testCluster, certs.RoleAgent, "impostor")
	server = server.Clone()
	server.NextProtos, server.VerifyConnection = []string{protocolRaft}, nil
	ln, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = receiveHello(conn, func(hello) error { return nil }) // welcomes everybody
			conn.Close()
		}
	}()
	for name, addr := range map[string]string{"an agent": ln.Addr().String(), "another member": masters[2].PeerAddr()} {
		masters[0].book.learn(masters[1].ID(), address{Peer: addr, Starts: 1 << 40})
		if err := dial(); err == nil {
			t.Errorf("%s at the member's address is taken for the member", name)
		}
	}
}

func TestForwardedRequestFromAnotherClusterIsRefused(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	m := start(t, a.config("m0", 1))
	waitReady(t, m)
	_, client := a.peer(testCluster, certs.RoleMaster, "stranger")
	book := &addressBook{storage: &storage{}, known: map[string]address{m.ID(): {Peer: m.PeerAddr()}}}
	peers := newPeerClient(book, client)
	defer peers.closeIdle()
	for cluster, want := range map[string]int{m.ClusterID(): http.StatusOK, "another": http.StatusMisdirectedRequest} {
		eventually(t, "an answer", func() bool { // a busy machine may take longer than a dial may
			req, err := http.NewRequestWithContext(testContext(t), http.MethodPost, "https://"+m.ID()+"/write", strings.NewReader("x"))
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
				t.Errorf("cluster %q is answered %d, want %d", cluster, resp.StatusCode, want)
			}
			return true
		})
	}
}

// A connection that never shows a certificate must not keep others out.
func TestSilentConnectionsDoNotBlockThePort(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	m := start(t, a.config("m0", 1))
	waitReady(t, m)
	for range 8 {
		conn, err := net.Dial("tcp", m.PeerAddr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	_, client := a.peer(testCluster, certs.RoleMaster, "member")
	if err := knock(t, m, client, protocolRaft, hello{Cluster: m.ClusterID(), From: "x", To: m.ID()}); err != nil {
		t.Error(err)
	}
}

func TestTransportSupportsPreVote(t *testing.T) {
	if _, ok := raft.Transport(&transport{}).(raft.WithPreVote); !ok {
		t.Error("Raft would turn PreVote off")
	}
	if got := (&transport{}).EncodePeer("id", "10.0.0.1:8300"); string(got) != "id" {
		t.Errorf("Raft would vote for the address %s instead of an id", got)
	}
}
