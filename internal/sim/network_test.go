package sim

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// network is the masters and the links between them.
type network struct {
	t       *testing.T
	members []*member
	alone   *member // isolated from the others, or nil
}

func newNetwork(t *testing.T, size int) *network {
	n := &network{t: t}
	var servers []raft.Server
	for i := range size {
		id := raft.ServerID(fmt.Sprintf("master-%d", i))
		n.members = append(n.members, newMember(t, id))
		servers = append(servers, raft.Server{ID: id, Address: raft.ServerAddress(id)})
	}
	for _, m := range n.members {
		m.start()
		if err := m.raft.BootstrapCluster(raft.Configuration{Servers: servers}).Error(); err != nil {
			t.Fatal(err)
		}
	}
	n.connect()
	return n
}

// connect updates all links.
func (n *network) connect() {
	for _, a := range n.members {
		for _, b := range n.members {
			switch {
			case a == b || !a.up():
			case !b.up() || a == n.alone || b == n.alone:
				a.transport.Disconnect(raft.ServerAddress(b.id))
			default:
				a.transport.Connect(raft.ServerAddress(b.id), b.transport)
			}
		}
	}
}

func (n *network) crash(m *member) {
	m.crash()
	n.connect()
}

func (n *network) restart(m *member) {
	m.start()
	n.connect()
}

func (n *network) isolate(m *member) {
	n.alone = m
	n.connect()
}

// heal restarts and reconnects all masters.
func (n *network) heal() {
	n.alone = nil
	for _, m := range n.members {
		if !m.up() {
			m.start()
		}
	}
	n.connect()
}

// leader returns a master that considers itself the leader, perhaps a deposed one.
func (n *network) leader() *member {
	for _, m := range n.members {
		if m.up() && m.raft.State() == raft.Leader && m.leader.Leading() {
			return m
		}
	}
	return nil
}

// settle waits until every master has applied the same entries.
func (n *network) settle() {
	n.t.Helper()
	for range 600 {
		if n.settled() {
			return
		}
		<-time.After(100 * time.Millisecond) // virtual
	}
	for _, m := range n.members {
		n.t.Logf("%s: %s, applied %d of %d", m.id, m.raft.State(), m.state.Index(), m.raft.LastIndex())
	}
	n.t.Fatal("got different applied indexes after a minute without faults")
}

func (n *network) settled() bool {
	lead := n.leader()
	if lead == nil || lead.raft.Barrier(time.Second).Error() != nil {
		return false
	}
	for _, m := range n.members {
		if m.state.Index() != lead.state.Index() {
			return false
		}
	}
	return true
}
