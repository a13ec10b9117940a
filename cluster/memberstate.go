package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"
)

// stateDead is the state of a member that is not running or cannot be reached. The other
// states are the roles.
const stateDead = "dead"

// memberStates is what this master has seen the members to be. Safe for concurrent use.
type memberStates struct {
	memory *peerMemory // keeps since when members are dead, over restarts

	mu    sync.Mutex
	known map[string]*memberState
}

type memberState struct {
	state string
	since time.Time
	// refused is the process whose port was found closed: gossip reports it as alive for
	// some seconds more.
	refused string
	answer  status // its newest
	silent  bool   // it did not answer in time
}

func newMemberStates(memory *peerMemory) *memberStates {
	return &memberStates{memory: memory, known: map[string]*memberState{}}
}

func (m *memberStates) getLocked(id string) *memberState {
	if m.known[id] == nil {
		m.known[id] = &memberState{}
	}
	return m.known[id]
}

func (m *memberStates) setLocked(id, state string) {
	s := m.getLocked(id)
	if s.state == state {
		return
	}
	s.state, s.since = state, time.Now()
	if state == stateDead {
		s.since = m.memory.died(id, s.since)
	} else {
		s.refused = ""
		m.memory.lives(id)
	}
}

// see takes in what gossip reports of a member: the process that is alive as the member, or
// "" for none.
func (m *memberStates) see(id, role, run string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.getLocked(id)
	switch {
	case run == "":
		s.refused = ""
		m.setLocked(id, stateDead)
	case run != s.refused:
		m.setLocked(id, role)
	}
}

// answered takes in a member's answer.
func (m *memberStates) answered(id string, answer status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.getLocked(id)
	s.answer, s.refused, s.silent = answer, "", false
}

// isSilent reports whether the member did not answer in time when it was asked last.
func (m *memberStates) isSilent(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.getLocked(id).silent
}

// failed takes in that a member did not answer. A closed port means that its process has
// ended.
func (m *memberStates) failed(id string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.getLocked(id)
	s.silent = errors.Is(err, context.DeadlineExceeded)
	if s.answer.Run != "" && errors.Is(err, unix.ECONNREFUSED) {
		s.refused = s.answer.Run
		m.setLocked(id, stateDead)
	}
}

// get returns a member's state, since when it has it, and its newest answer. A member that
// answers has its role, whatever gossip reports.
func (m *memberStates) get(id, role string, answers bool) (state string, since time.Time, last status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.getLocked(id)
	if answers || s.state == "" || s.state != stateDead && s.state != role {
		m.setLocked(id, role)
	}
	return s.state, s.since, s.answer
}

// last returns a member's newest answer.
func (m *memberStates) last(id string) status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.getLocked(id).answer
}

// role is a server's, as far as Raft knows.
func (n *Node) role(server raft.Server, leader string) string {
	switch {
	case string(server.ID) == leader:
		return roleLeader
	case server.Suffrage != raft.Voter:
		return roleNonvoter
	}
	return roleFollower
}

// observeMembers takes in the view of gossip.
func (n *Node) observeMembers(alive []gossipMember) {
	runs := map[string]string{n.id.ID: n.run}
	for _, m := range alive {
		runs[m.ID] = m.Run
	}
	leader, _ := n.lead.known()
	for _, s := range n.servers() {
		n.states.see(string(s.ID), n.role(s, leader), runs[string(s.ID)])
	}
}

// countMembers counts the members by state, as far as this master has seen. It asks none.
func (n *Node) countMembers() map[string]int {
	counts := map[string]int{roleLeader: 0, roleFollower: 0, roleNonvoter: 0, stateDead: 0}
	leader, _ := n.lead.known()
	for _, s := range n.servers() {
		state, _, _ := n.states.get(string(s.ID), n.role(s, leader), string(s.ID) == n.id.ID)
		counts[state]++
	}
	return counts
}
