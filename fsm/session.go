package fsm

import (
	"cmp"
	"context"
	"slices"

	"github.com/ffrtmp/ffrtmp"
)

// admitSession returns the key that a new session belongs to. A one-time key is used up by it; a new session
// replaces the oldest of too many.
func (t *tx) admitSession(principal string) (owner string, err error) {
	owner = principal
	if k, ok := t.keys[principal]; ok {
		if !k.RevokedAt.IsZero() {
			return "", ffrtmp.Errorf(ffrtmp.Unauthenticated, "the API key has been revoked or used")
		}
		if k.Kind == ffrtmp.KeySignIn {
			t.revoke(k)
			owner = k.CreatedBy
		}
	}
	if sessions := t.sessionsOf(owner); len(sessions) >= ffrtmp.MaxSessions {
		t.removeKey(sessions[0].ID)
	}
	return owner, nil
}

// sessionsOf returns the sessions and one-time keys of a key, the oldest first.
func (t *tx) sessionsOf(owner string) []*key {
	var list []*key
	for _, k := range t.keys {
		if k.Kind != "" && k.CreatedBy == owner {
			list = append(list, k)
		}
	}
	slices.SortFunc(list, func(a, b *key) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// CreateSession creates a session, or a one-time key that opens one, for the actor of ctx.
func (p *Proposer) CreateSession(ctx context.Context, id Idempotency, k ffrtmp.NewKey,
	kind ffrtmp.KeyKind,
) (index uint64, created ffrtmp.CreatedKey, replayed bool, err error) {
	return p.createKey(ctx, id, k, kind)
}
