package fsm

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

func (c *cluster) createKey(change ...func(*ffrtmp.NewKey)) ffrtmp.CreatedKey {
	c.Helper()
	k := ffrtmp.NewKey{Name: "reports", Scopes: []ffrtmp.Scope{ffrtmp.ScopeRead}}
	for _, f := range change {
		f(&k)
	}
	_, made, _, err := c.CreateKey(c.Context(), Idempotency{}, k)
	if err != nil {
		c.Fatal(err)
	}
	return made
}

// opens reports whether the FSM accepts a key's secret.
func (c *cluster) opens(made ffrtmp.CreatedKey) bool {
	id, secret, _ := strings.Cut(made.Secret, ".")
	k, ok := c.fsm.Credential(id)
	return ok && k.Hash == sha256.Sum256([]byte(secret)) && k.Live.Err() == nil
}

// Keys survive restarts and snapshots; secrets are not stored.
func TestKeys_Persistence(t *testing.T) {
	c := newCluster(t)
	c.now = epoch
	made := c.createKey(func(k *ffrtmp.NewKey) { k.ExpiresIn, k.RateLimit = ffrtmp.Duration(time.Hour), 7 })
	other := c.createKey(func(k *ffrtmp.NewKey) { k.Name = "other" })
	if id, secret, _ := strings.Cut(made.Secret, "."); id != made.ID || len(secret) != 43 {
		t.Fatalf("got %q, want id.secret with 256 bits", made.Secret)
	}
	if made.ExpiresAt != epoch.Add(time.Hour) || made.RateLimit != 7 || made.CreatedAt != epoch || made.ID == other.ID {
		t.Fatalf("got keys %+v and %+v, want different ids and the limits of the request", made, other)
	}
	for name, again := range map[string]func(){"restart": c.reopen, "snapshot": func() { c.restore(c.snapshot()) }} {
		again()
		if got := c.fsm.Keys(); len(got) != 2 || !c.opens(made) || !c.opens(other) {
			t.Fatalf("after a %s: got %+v, want both keys", name, got)
		}
		c.checkDerived()
	}
	secret := []byte(strings.TrimPrefix(made.Secret, made.ID+"."))
	for _, e := range c.entries {
		if bytes.Contains(e.Data, secret) {
			t.Error("got a secret in the log, want none")
		}
	}
	if bytes.Contains(c.snapshot(), secret) {
		t.Error("got a secret in the snapshot, want none")
	}
}

func TestKeys_Revoke(t *testing.T) {
	c := newCluster(t)
	made, other := c.createKey(), c.createKey()
	live, _ := c.fsm.Credential(made.ID)
	_, revoked, err := c.RevokeKey(c.Context(), made.ID)
	if err != nil || revoked.RevokedAt != c.now || c.opens(made) || !c.opens(other) || live.Live.Err() == nil {
		t.Fatalf("got %+v, %v, want the key revoked now", revoked, err)
	}
	before := c.now
	c.after(time.Minute)
	if _, again, err := c.RevokeKey(c.Context(), made.ID); err != nil || again.RevokedAt != before {
		t.Fatalf("revoked again: got %+v, %v, want the first time", again, err)
	}
	_, _, err = c.RevokeKey(c.Context(), "0000000000000000")
	wantCode(t, err, ffrtmp.NotFound)
	c.reopen()
	if k, ok := c.fsm.Credential(made.ID); !ok || k.Live.Err() == nil {
		t.Error("got a live key after a restart, want it revoked")
	}
}

// A repeated request returns the same key with a new secret.
func TestKeys_Replay(t *testing.T) {
	c := newCluster(t)
	id := Idempotency{Principal: "p", Key: "k", Hash: [32]byte{1}}
	k := ffrtmp.NewKey{Name: "n", Scopes: []ffrtmp.Scope{ffrtmp.ScopeRead}}
	_, first, replayed, err := c.CreateKey(c.Context(), id, k)
	if err != nil || replayed {
		t.Fatal(replayed, err)
	}
	live, _ := c.fsm.Credential(first.ID)
	_, second, replayed, err := c.CreateKey(c.Context(), id, k)
	if err != nil || !replayed || second.ID != first.ID || c.opens(first) || !c.opens(second) ||
		len(c.fsm.Keys()) != 1 ||
		live.Live.Err() == nil {
		t.Fatalf("got %+v, then %+v, %v, want the same key with a new secret", first, second, err)
	}
	c.checkDerived()
	if _, _, err := c.RevokeKey(c.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	_, _, _, err = c.CreateKey(c.Context(), id, k)
	wantCode(t, err, ffrtmp.Conflict)
}

// Ended keys are removed when a new one is created.
func TestKeys_RemovesEnded(t *testing.T) {
	c := newCluster(t)
	expiring := c.createKey(func(k *ffrtmp.NewKey) { k.ExpiresAt.Time = c.now.Add(time.Hour) })
	revoked, kept := c.createKey(), c.createKey()
	if _, _, err := c.RevokeKey(c.Context(), revoked.ID); err != nil {
		t.Fatal(err)
	}
	c.after(ffrtmp.KeyKept + time.Minute)
	c.createKey()
	if _, ok := c.fsm.Credential(revoked.ID); ok || len(c.fsm.Keys()) != 3 {
		t.Errorf("the revoked key is still there: %+v", c.fsm.Keys())
	}
	c.after(time.Hour)
	c.createKey()
	if _, ok := c.fsm.Credential(expiring.ID); ok || !c.opens(kept) || len(c.fsm.Keys()) != 3 {
		t.Errorf("the expired key is still there: %+v", c.fsm.Keys())
	}
	c.checkDerived()
}

// The expiry must be in the future.
func TestKeys_Expiry(t *testing.T) {
	c := newCluster(t)
	for _, at := range []time.Time{c.now, c.now.Add(-time.Hour), c.now.Add(ffrtmp.MaxKeyLife + time.Hour)} {
		_, _, _, err := c.CreateKey(c.Context(), Idempotency{}, ffrtmp.NewKey{
			Name: "n", Scopes: ffrtmp.Scopes,
			ExpiresAt: ffrtmp.Time{Time: at},
		})
		wantCode(t, err, ffrtmp.Invalid)
	}
}
