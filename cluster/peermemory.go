package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
)

const (
	memoryFile     = "peers.json"
	memoryInterval = time.Second
)

// RolledBackError says that another master remembers acknowledged entries of this
// one which it does not have: its data is an old copy.
type RolledBackError struct {
	By           string // who remembers
	Index        uint64 // the last entry of this master
	Acknowledged uint64 // what the other remembers
}

func (e *RolledBackError) Error() string {
	return fmt.Sprintf("its data ends at entry %d, but master %s remembers that it acknowledged entry %d: "+
		"the data is an old copy; at the next start it is set aside", e.Index, e.By, e.Acknowledged)
}

// peerMemory is what this master knows the others to have: committed entries that each
// has acknowledged. These are never removed, so a member that ends before them has been
// rolled back. It is kept over restarts, as of a second ago; safe for concurrent use.
type peerMemory struct {
	path string // "" = not kept
	log  hclog.Logger

	mu      sync.Mutex
	members map[string]*peerRecord
	changed bool
}

type peerRecord struct {
	Index uint64 `json:"index"`
	// Dead is since when the member has been dead; zero while it lives.
	Dead time.Time `json:"dead_since,omitzero"`
	run  string    // the process that was met last, see hello
	peer string    // its address
}

// openPeerMemory reads the file. A damaged file counts as missing.
func openPeerMemory(s *storage, log hclog.Logger) *peerMemory {
	m := &peerMemory{log: log, members: map[string]*peerRecord{}}
	if s.inMemory() {
		return m
	}
	m.path = s.file(memoryFile)
	var members map[string]*peerRecord
	if err := s.load(memoryFile, &members); err != nil {
		log.Warn("what other masters had acknowledged is forgotten", "error", err)
		return m
	}
	for id, record := range members {
		if record != nil {
			m.members[id] = record
		}
	}
	return m
}

func (m *peerMemory) getLocked(id string) *peerRecord {
	if m.members[id] == nil {
		m.members[id] = &peerRecord{}
	}
	return m.members[id]
}

// acknowledged returns what the member is known to have.
func (m *peerMemory) acknowledged(id string) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.getLocked(id).Index
}

// note remembers that the member has the committed entries up to index.
func (m *peerMemory) note(id string, index uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.getLocked(id); r.Index < index {
		r.Index, m.changed = index, true
	}
}

// noteAppended remembers what a member has confirmed to this leader.
func (m *peerMemory) noteAppended(id raft.ServerID, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) {
	if resp.Success {
		m.note(string(id), min(req.PrevLogEntry+uint64(len(req.Entries)), req.LeaderCommitIndex))
	}
}

// died remembers that the member is dead, and returns since when it has been.
func (m *peerMemory) died(id string, now time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.getLocked(id)
	if r.Dead.IsZero() {
		r.Dead, m.changed = now.UTC(), true
	}
	return r.Dead
}

// lives forgets that the member was dead.
func (m *peerMemory) lives(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.getLocked(id); !r.Dead.IsZero() {
		r.Dead, m.changed = time.Time{}, true
	}
}

// met returns where the member was met, and whether it was that process.
func (m *peerMemory) met(id, run string) (peer string, same bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.getLocked(id)
	return r.peer, r.run == run
}

// meet takes in a process of the member, whose log ends at index. It returns what the
// member had acknowledged before, when that is more. Only a new process can have less.
func (m *peerMemory) meet(id, run, peer string, index uint64) (missing uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.getLocked(id)
	if r.run == run {
		return 0
	}
	if r.Index > index {
		return r.Index
	}
	r.run, r.peer = run, peer
	return 0
}

// save keeps what has changed. It does not wait for the disk: after a crash of the
// machine an older memory only finds less.
func (m *peerMemory) save() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.path == "" || !m.changed {
		return
	}
	m.changed = false
	data, err := json.Marshal(m.members)
	if err == nil {
		err = atomicfile.WriteVolatile(m.path, sealDocument(memoryFile, data))
	}
	if err != nil {
		m.log.Warn("what other masters have acknowledged is not kept", "error", err)
	}
}

// rememberPeers notes what the leader has, which is all that is committed, and saves
// the memory.
func (n *Node) rememberPeers(ctx context.Context) {
	for range every(ctx, memoryInterval) {
		committed := n.raft.CommitIndex() // before asking who leads: the leader of a later term has it too
		if leader, _ := n.lead.known(); leader != "" && leader != n.id.ID {
			n.memory.note(leader, committed)
		}
		n.memory.save()
	}
	n.memory.save()
}
