package cluster

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// Roles of a member.
const (
	roleLeader   = "leader"
	roleFollower = "follower"
	roleNonvoter = "nonvoter"
)

// Member is one master of the Raft configuration.
type Member struct {
	ID      string
	Name    string // unique in the cluster
	Address string // host:port of its peer port
	APIURL  string
	Version string
	Role    string    // leader, follower or nonvoter
	State   string    // the role, or dead
	Since   time.Time // of the state, as far as this master has seen
	Voter   bool
	// Healthy means that it answered just now, hears from the leader and is not
	// far behind.
	Healthy      bool
	LastContact  time.Duration // since the leader's last message; negative when unknown
	AppliedIndex uint64
	CommandLevel int // highest command kind that it can apply
	Condition
}

// Condition is what a master says of its own disk and files. A part that is zero is not known.
type Condition struct {
	DiskFree     uint64               `json:"disk_free,omitempty"`    // bytes, of the Raft directory's disk
	Snapshot     time.Time            `json:"snapshot,omitzero"`      // when its newest snapshot was made
	Certificates map[string]time.Time `json:"certificates,omitempty"` // when they expire
}

// status is a member's answer to a status request of another.
type status struct {
	ID            string        `json:"id"`
	Claim         nameClaim     `json:"claim"`
	Former        []string      `json:"former,omitempty"` // see identity
	Version       string        `json:"version"`
	APIURL        string        `json:"api_url"`
	Level         int           `json:"command_level"`
	BootstrapVote bootstrapVote `json:"bootstrap_vote"`
	Leads         bool          `json:"leads"`
	Contacted     bool          `json:"contacted"` // LastContact is known
	LastContact   time.Duration `json:"last_contact"`
	LastTerm      uint64        `json:"last_term"`
	LastIndex     uint64        `json:"last_index"`
	Commit        uint64        `json:"commit_index"`
	Applied       uint64        `json:"applied_index"`
	DiskLow       bool          `json:"disk_low"`
	Run           string        `json:"run"` // of the process, see hello
	Nonvoter      bool          `json:"nonvoter,omitempty"`
	GossipKeys    *ringStatus   `json:"gossip_keys,omitempty"`
	Condition
}

// defaultStatusTimeout bounds the request to one member.
const defaultStatusTimeout = 500 * time.Millisecond

// maxLag is how many entries a healthy member may be behind.
const maxLag = 4096

// status returns this master's own.
func (n *Node) status() status {
	term, index := n.lastEntry()
	s := status{
		ID: n.id.ID, Run: n.run, Claim: n.claim(), Former: n.id.Former, Nonvoter: n.cfg.Nonvoter,
		Version: n.cfg.Version, APIURL: n.cfg.APIURL, Level: n.cfg.CommandLevel,
		BootstrapVote: n.formation.current(), Leads: n.IsLeader(),
		LastTerm: term, LastIndex: index,
		Commit: n.raft.CommitIndex(), Applied: n.raft.AppliedIndex(), DiskLow: n.DiskLow(),
		GossipKeys: n.ringStatus(),
	}
	s.LastContact, s.Contacted = n.LastContact()
	s.Condition = n.condition()
	return s
}

// condition returns this master's own.
func (n *Node) condition() Condition {
	var c Condition
	if free, err := n.cfg.diskFree(); err == nil {
		c.DiskFree = free
	}
	if made := n.snapshotTime(); !made.Equal(n.started) {
		c.Snapshot = made.UTC()
	}
	if n.cfg.Certificates != nil {
		c.Certificates = n.cfg.Certificates()
	}
	return c
}

// lastEntry returns the term and index of the newest entry of this log.
func (n *Node) lastEntry() (term, index uint64) {
	stats := n.raft.Stats()
	number := func(key string) uint64 {
		v, _ := strconv.ParseUint(stats[key], 10, 64) // Raft formats it so
		return v
	}
	index, term = number("last_log_index"), number("last_log_term")
	if i := number("last_snapshot_index"); i > index {
		index, term = i, number("last_snapshot_term")
	}
	return term, index
}

// statusOf returns the status of a member, or of this master.
func (n *Node) statusOf(ctx context.Context, id string) (status, error) {
	if id == n.id.ID {
		return n.status(), nil
	}
	var s status
	err := n.peers.call(ctx, id, "status", nil, &s)
	return s, err
}

// statuses asks several members at once and returns those that answer. One that did not
// answer in time is not waited for again, until askSilent has had an answer from it.
func (n *Node) statuses(ctx context.Context, ids []string) map[string]status {
	return n.ask(ctx, slices.DeleteFunc(slices.Clone(ids), n.states.isSilent))
}

// silentInterval is how often members that do not answer are asked again.
const silentInterval = 500 * time.Millisecond

// askSilent asks members that do not answer, so that nobody else has to wait for them.
func (n *Node) askSilent(ctx context.Context) {
	for range every(ctx, silentInterval) {
		var ids []string
		for _, s := range n.servers() {
			if n.states.isSilent(string(s.ID)) {
				ids = append(ids, string(s.ID))
			}
		}
		n.ask(ctx, ids)
	}
}

func (n *Node) ask(ctx context.Context, ids []string) map[string]status {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.statusTimeout)
	defer cancel()
	var (
		mu  sync.Mutex
		all = make(map[string]status, len(ids))
		wg  sync.WaitGroup
	)
	for _, id := range ids {
		wg.Go(func() {
			s, err := n.statusOf(ctx, id)
			if err != nil {
				n.log.Trace("cannot get member status", "member", id, "error", err)
				n.states.failed(id, err)
				return
			}
			n.states.answered(id, s)
			mu.Lock()
			defer mu.Unlock()
			all[id] = s
		})
	}
	wg.Wait()
	return all
}

// servers returns the latest Raft configuration. It is a copy, for the caller to sort or
// change: Raft gives the same slice to every reader.
func (n *Node) servers() []raft.Server {
	f := n.raft.GetConfiguration()
	if f.Error() != nil { // never: the configuration is a copy in memory
		return nil
	}
	return slices.Clone(f.Configuration().Servers)
}

// voters returns the ids that have a vote.
func (n *Node) voters() []string {
	var ids []string
	for _, s := range n.servers() {
		if s.Suffrage == raft.Voter {
			ids = append(ids, string(s.ID))
		}
	}
	return ids
}

// CommandLevel returns the highest command level that every member can apply, as each last
// reported, unless an operator holds it lower. A command above it must not be proposed.
func (n *Node) CommandLevel() int {
	level := n.knownLevel()
	if held := n.Autopilot().CommandLevel; held > 0 {
		level = min(level, held)
	}
	return level
}

// knownLevel returns the highest command level that every member can apply.
func (n *Node) knownLevel() int {
	level := n.cfg.CommandLevel
	for _, s := range n.servers() {
		a, _ := n.book.lookup(string(s.ID)) // unknown: 0
		if s.Suffrage == raft.Voter || a.Level > 0 {
			level = min(level, a.Level)
		}
	}
	return level
}

// Members returns every master of the configuration, ordered by id. It asks each
// for its status, which takes half a second when one has just stopped to answer.
func (n *Node) Members() []Member {
	servers := n.servers()
	ids := make([]string, len(servers))
	for i, s := range servers {
		ids[i] = string(s.ID)
	}
	statuses := n.statuses(n.ctx, ids)
	leader, _ := n.lead.known()
	newest := uint64(0)
	for _, s := range statuses {
		newest = max(newest, s.LastIndex)
	}
	members := make([]Member, len(servers))
	for i, server := range servers {
		members[i] = n.member(server, leader, newest, statuses)
	}
	slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
	return members
}

// APIURLs returns where clients reach the masters of the configuration, ordered by id. It
// knows them from the address book and asks no other master.
func (n *Node) APIURLs() []string {
	servers := n.servers()
	slices.SortFunc(servers, func(a, b raft.Server) int { return strings.Compare(string(a.ID), string(b.ID)) })
	urls := make([]string, 0, len(servers))
	for _, s := range servers {
		if a, _ := n.book.lookup(string(s.ID)); a.APIURL != "" {
			urls = append(urls, a.APIURL)
		}
	}
	return urls
}

// Role returns this master's own: leader, follower or nonvoter. It asks no other master.
func (n *Node) Role() string {
	isNonvoter := func(s raft.Server) bool { return string(s.ID) == n.id.ID && s.Suffrage != raft.Voter }
	switch {
	case n.IsLeader():
		return roleLeader
	case slices.ContainsFunc(n.servers(), isNonvoter):
		return roleNonvoter
	}
	return roleFollower
}

func (n *Node) member(server raft.Server, leader string, newest uint64, statuses map[string]status) Member {
	id := string(server.ID)
	a, _ := n.book.lookup(id)
	_, answered := statuses[id]
	role := n.role(server, leader)
	state, since, s := n.states.get(id, role, answered)
	m := Member{
		ID: id, Name: string(server.Address), Address: a.Peer, APIURL: a.APIURL, Version: s.Version,
		Role: role, State: state, Since: since, Voter: server.Suffrage == raft.Voter,
		LastContact: s.LastContact, AppliedIndex: s.Applied, CommandLevel: s.Level,
		Condition: s.Condition,
	}
	if !answered || !s.Contacted {
		m.LastContact = -1
	}
	m.Healthy = answered && s.Contacted && s.LastContact <= n.contactLimit() && s.LastIndex+maxLag >= newest
	return m
}

// contactLimit is the longest LastContact of a healthy member.
func (n *Node) contactLimit() time.Duration { return n.Autopilot().LastContactThreshold }
