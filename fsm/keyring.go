package fsm

import (
	"context"
	"slices"
	"strings"

	"github.com/ffrtmp/ffrtmp"
)

// Credential is an API key with the hash of its secret.
type Credential struct {
	ffrtmp.Key
	Hash [32]byte // SHA-256 of the secret
	// Live ends when an entry is applied that revokes the key or changes its secret.
	Live context.Context
	end  context.CancelFunc
}

// keyring has the keys as of one entry. It is immutable, so that looking up a key does
// not wait for entries to be applied.
type keyring map[string]Credential

// publishKeys replaces the keys that requests are checked against by those of the state.
func (f *FSM) publishKeys(s *state) {
	old := *f.keys.Load()
	next := make(keyring, len(s.keys))
	for id, k := range s.keys {
		c := Credential{Key: k.Key, Hash: k.hash}
		if before, ok := old[id]; ok && before.Hash == c.Hash {
			c.Live, c.end = before.Live, before.end
		} else {
			c.Live, c.end = context.WithCancel(context.Background())
		}
		next[id] = c
	}
	f.keys.Store(&next)
	for id, before := range old {
		if k, ok := s.keys[id]; !ok || k.hash != before.Hash {
			before.end()
		}
	}
	for _, c := range next {
		if !c.RevokedAt.IsZero() {
			c.end()
		}
	}
}

// Credential returns a key by its id, revoked and expired ones too.
func (f *FSM) Credential(id string) (Credential, bool) {
	c, ok := (*f.keys.Load())[id]
	return c, ok
}

// Keys returns all keys, the oldest first.
func (f *FSM) Keys() []ffrtmp.Key {
	list := []ffrtmp.Key{}
	for _, c := range *f.keys.Load() {
		list = append(list, c.Key)
	}
	slices.SortFunc(list, func(a, b ffrtmp.Key) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list
}
