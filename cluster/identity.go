package cluster

import (
	"cmp"
	"fmt"
	"time"

	"github.com/google/uuid"
)

const (
	identityFile = "identity.json"
	maxID        = 64 // see idPattern
)

// identity is who a master is. It lives and dies with the raft directory: a
// wiped disk has forgotten its votes, so it must come back as somebody else.
type identity struct {
	ID string `json:"id"`
	// Starts counts how often this identity was started. Of two addresses for
	// one id, the one from the later start is right; clocks have no say.
	Starts uint64 `json:"starts"`
	// Configured is the id that was asked for, when this is another: it has lost
	// its log, and may not vote again.
	Configured string `json:"configured,omitempty"`
	// Former are the ids of this master whose logs are lost. It then has data set
	// aside, and must not form a cluster without it.
	Former []string `json:"former,omitempty"`
	// Lost is why the log must not be voted with any more, as another master knows.
	Lost string `json:"lost,omitempty"`
	// Removed is when this master learned that it was removed from its cluster.
	Removed time.Time `json:"removed,omitzero"`
	// Unknown says that the former id is not known, but data of it is set aside.
	Unknown bool `json:"unknown,omitempty"`
	// SettingAside is where files of the former identity go, until they are there.
	SettingAside string `json:"setting_aside,omitempty"`
}

// lost returns a *LostLogError when the log must not be voted with.
func (id identity) lost() error {
	if id.Lost == "" {
		return nil
	}
	return &LostLogError{Path: logFile, Reason: id.Lost}
}

// successor is who a master is after it has lost its log.
func (id identity) successor() identity {
	next := identity{
		ID: uuid.NewString(), Starts: 1, Configured: id.Configured, Former: id.Former,
		Removed: id.Removed, Unknown: id.Unknown,
	}
	if !id.Unknown {
		next.Former = append(next.Former, id.ID)
	}
	if next.Configured == "" && uuid.Validate(id.ID) != nil {
		next.Configured = id.ID
	}
	if c := next.Configured; c != "" {
		next.ID = c[:min(len(c), maxID-9)] + "-" + next.ID[:8]
	}
	return next
}

// openIdentity reads the identity of the directory, or makes one, and counts
// the start. A wanted id must agree with the one that is kept. A directory that has
// lost whose it is gives a *DamagedError or *LostLogError, and an identity that is
// not kept.
func openIdentity(s *storage, wanted string) (identity, error) {
	var id identity
	err := s.load(identityFile, &id)
	if err == nil && id.ID == "" && !s.inMemory() && !isNew(s.file(logFile)) {
		err = &LostLogError{Path: s.file(logFile), Reason: identityFile + ", which says whose it is, is missing"}
	}
	if untrusted(err) {
		return identity{ID: cmp.Or(wanted, uuid.NewString()), Unknown: true}, err
	}
	if err != nil {
		return id, fmt.Errorf("node id: %w", err)
	}
	switch {
	case id.ID == "" && wanted == "":
		id.ID = uuid.NewString()
	case id.ID == "":
		id.ID = wanted
	case wanted != "" && wanted != id.ID && wanted != id.Configured:
		return id, fmt.Errorf("node id: %s belongs to %s, not to %s", s.path, id.ID, wanted)
	}
	id.Starts++
	if err := s.save(identityFile, id); err != nil {
		return id, fmt.Errorf("node id: %w", err)
	}
	return id, nil
}
