package cluster

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// toy is a state machine that records every command in order. It keeps nothing
// on disk: after a restart it is rebuilt.
type toy struct {
	mu        sync.Mutex
	commands  []string
	index     uint64
	term      uint64
	verifyErr error
	discarded int
	clusterID func() string
	aside     []string    // commands of the states set aside
	blind     atomic.Bool // records nothing, for benchmarks
}

type toyState struct {
	Index, Term uint64
	Commands    []string
}

func (s *toy) Apply(l *raft.Log) any { return s.ApplyBatch([]*raft.Log{l})[0] }

func (s *toy) ApplyBatch(logs []*raft.Log) []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]any, len(logs))
	for i, l := range logs {
		if l.Index <= s.index {
			continue
		}
		s.index, s.term = l.Index, l.Term
		if l.Type == raft.LogCommand && !s.blind.Load() {
			s.commands = append(s.commands, string(l.Data))
			out[i] = len(s.commands)
		}
	}
	return out
}

func (s *toy) Snapshot() (raft.FSMSnapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return toySnapshot{toyState{s.index, s.term, slices.Clone(s.commands)}}, nil
}

func (s *toy) Restore(r io.ReadCloser) error {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	var st toyState
	if err := json.NewDecoder(r).Decode(&st); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index, s.term, s.commands = st.Index, st.Term, st.Commands
	return nil
}

func (s *toy) Applied() (index, term uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.index, s.term
}

func (s *toy) Verify() error { return s.verifyErr }

func (s *toy) Discard() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index, s.term, s.commands, s.verifyErr = 0, 0, nil, nil
	s.discarded++
	return nil
}

func (s *toy) SetClusterID(id func() string) { s.clusterID = id }

func (s *toy) SetAside(string) error {
	s.mu.Lock()
	s.aside = append(s.aside, s.commands...)
	s.mu.Unlock()
	return s.Discard()
}

func (s *toy) SnapshotIndex(r io.Reader) (uint64, error) {
	var head [8]byte
	_, err := io.ReadFull(r, head[:])
	return binary.BigEndian.Uint64(head[:]), err
}

func (s *toy) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.commands)
}

func (s *toy) has(command string) bool { return slices.Contains(s.all(), command) }

type toySnapshot struct{ state toyState }

func (s toySnapshot) Persist(sink raft.SnapshotSink) error {
	data, err := json.Marshal(s.state)
	if err != nil {
		return err
	}
	_, err = sink.Write(append(binary.BigEndian.AppendUint64(nil, s.state.Index), data...))
	if err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

func (toySnapshot) Release() {}
