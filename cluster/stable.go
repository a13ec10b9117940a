package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"

	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// Keys that Raft uses, and ours.
var (
	keyCurrentTerm  = []byte("CurrentTerm")
	keyLastVoteTerm = []byte("LastVoteTerm")
	keyLastVoteCand = []byte("LastVoteCand")
	keyVote         = []byte("Vote")
	keyJournal      = []byte("Journal")       // its id
	keyOwner        = []byte("Owner")         // the id of the master whose log it is
	keyBootstrap    = []byte("BootstrapVote") // a copy of voteFile
)

// claim makes a new log that of the master with the id. A log of another master has its
// votes, and is a *LostLogError.
func (d *diskStore) claim(id string) error {
	owner, err := d.get(keyOwner)
	if errors.Is(err, errNotFound) {
		return d.set(keyOwner, []byte(id), func(*logMark) {})
	}
	if err == nil && string(owner) != id {
		return &LostLogError{Path: d.path, Reason: fmt.Sprintf("it is the log of master %s, %s names %s",
			owner, identityFile, id)}
	}
	return err
}

// errNotFound has the text by which Raft distinguishes an absent value from a failure.
var errNotFound = raftboltdb.ErrKeyNotFound

// Set implements raft.StableStore.
//
// Raft stores a vote as two writes, first the term and then the candidate. A
// crash between them leaves the new term beside the old candidate: a vote that
// was never given, and after a restart it is given again to whoever asks. Here
// the term waits in memory and both become durable as one value.
func (d *diskStore) Set(key, val []byte) error {
	if string(key) != string(keyLastVoteCand) {
		return d.set(key, val, func(*logMark) {})
	}
	if d.pendingVoteTerm == 0 {
		return errors.New("raft vote: a candidate without a term")
	}
	term := d.pendingVoteTerm
	d.pendingVoteTerm = 0
	vote := append(binary.BigEndian.AppendUint64(nil, term), val...)
	return d.set(keyVote, vote, func(m *logMark) { m.voteTerm, m.voteFor = term, voteSum(val) })
}

// SetUint64 implements raft.StableStore.
func (d *diskStore) SetUint64(key []byte, val uint64) error {
	if string(key) == string(keyLastVoteTerm) {
		d.pendingVoteTerm = val
		return nil
	}
	mark := func(m *logMark) {}
	if string(key) == string(keyCurrentTerm) {
		mark = func(m *logMark) { m.currentTerm = val }
		if val < d.mark.current().currentTerm { // taken back, see recovery.undoHalfBootstrap
			if err := d.mark.lower(mark); err != nil {
				return err
			}
		}
	}
	return d.set(key, binary.BigEndian.AppendUint64(nil, val), mark)
}

// Get implements raft.StableStore.
func (d *diskStore) Get(key []byte) ([]byte, error) {
	if string(key) != string(keyLastVoteCand) {
		return d.get(key)
	}
	_, candidate, err := d.vote()
	return candidate, err
}

// GetUint64 implements raft.StableStore.
func (d *diskStore) GetUint64(key []byte) (uint64, error) {
	if string(key) == string(keyLastVoteTerm) {
		term, _, err := d.vote()
		return term, err
	}
	val, err := d.get(key)
	if err != nil {
		return 0, err
	}
	if len(val) != 8 {
		return 0, &DamagedError{Path: d.path, What: string(key)}
	}
	return binary.BigEndian.Uint64(val), nil
}

// vote returns the last vote that is durable.
func (d *diskStore) vote() (term uint64, candidate []byte, err error) {
	val, err := d.get(keyVote)
	if err != nil {
		return 0, nil, err
	}
	if len(val) < 8 {
		return 0, nil, &DamagedError{Path: d.path, What: string(keyVote)}
	}
	return binary.BigEndian.Uint64(val), val[8:], nil
}

func (d *diskStore) set(key, val []byte, mark func(*logMark)) error {
	return d.write(len(val), func() error {
		if err := d.bolt.Set(key, sealValue(val)); err != nil {
			return err
		}
		return d.mark.update(mark)
	})
}

func (d *diskStore) get(key []byte) ([]byte, error) {
	sealed, err := d.bolt.Get(key)
	if errors.Is(err, errNotFound) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("raft log %s: %w", d.path, err)
	}
	val, intact := unsealValue(sealed)
	if !intact {
		return nil, &DamagedError{Path: d.path, What: string(key)}
	}
	return val, nil
}
