package cluster

import (
	"fmt"

	"github.com/google/uuid"
)

const identityFile = "identity.json"

// identity is who a master is. It lives and dies with the raft directory: a
// wiped disk has forgotten its votes, so it must come back as somebody else.
type identity struct {
	ID string `json:"id"`
	// Starts counts how often this identity was started. Of two addresses for
	// one id, the one from the later start is right; clocks have no say.
	Starts uint64 `json:"starts"`
}

// openIdentity reads the identity of the directory, or makes one, and counts
// the start. A wanted id must agree with the one that is kept.
func openIdentity(s *storage, wanted string) (identity, error) {
	var id identity
	if err := s.load(identityFile, &id); err != nil {
		return id, fmt.Errorf("node id: %w", err)
	}
	switch {
	case id.ID == "" && wanted == "":
		id.ID = uuid.NewString()
	case id.ID == "":
		id.ID = wanted
	case wanted != "" && wanted != id.ID:
		return id, fmt.Errorf("node id: %s belongs to %s, not to %s", s.path, id.ID, wanted)
	}
	id.Starts++
	if err := s.save(identityFile, id); err != nil {
		return id, fmt.Errorf("node id: %w", err)
	}
	return id, nil
}
