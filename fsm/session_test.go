package fsm

import (
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

func (c *cluster) openSession(principal string, kind ffrtmp.KeyKind) (ffrtmp.CreatedKey, error) {
	c.Helper()
	ctx := WithActor(c.Context(), Actor{Principal: principal})
	k := ffrtmp.NewKey{Name: "ann", Scopes: []ffrtmp.Scope{ffrtmp.ScopeRead}}
	k.ExpiresIn = ffrtmp.Duration(ffrtmp.SessionLife)
	_, made, _, err := c.CreateSession(ctx, Idempotency{}, k, kind)
	return made, err
}

// A one-time key opens one session, even if it is sent twice at the same time.
func TestSession_OneTime(t *testing.T) {
	c := newCluster(t)
	parent := c.createKey()
	once, err := c.openSession(parent.ID, ffrtmp.KeySignIn)
	if err != nil {
		t.Fatal(err)
	}
	session, err := c.openSession(once.ID, ffrtmp.KeySession)
	if err != nil || session.CreatedBy != parent.ID || session.Kind != ffrtmp.KeySession {
		t.Fatalf("got %+v, %v, want a session of %s", session, err, parent.ID)
	}
	_, err = c.openSession(once.ID, ffrtmp.KeySession)
	wantCode(t, err, ffrtmp.Unauthenticated)
	c.reopen()
	if k, _ := c.fsm.Credential(session.ID); k.Kind != ffrtmp.KeySession {
		t.Errorf("got %+v after a restart, want a session", k.Key)
	}
	if _, _, err := c.RevokeKey(c.Context(), parent.ID); err != nil || c.opens(session) {
		t.Errorf("got %v and a live session, want it revoked with its key", err)
	}
	c.checkDerived()
}

// A new session replaces the oldest of too many, and ended sessions are forgotten after a day.
func TestSession_Bounded(t *testing.T) {
	c := newCluster(t)
	parent := c.createKey()
	var sessions []ffrtmp.CreatedKey
	for range ffrtmp.MaxSessions + 1 {
		c.after(time.Second)
		s, err := c.openSession(parent.ID, ffrtmp.KeySession)
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, s)
	}
	if got := len(c.fsm.Keys()); got != ffrtmp.MaxSessions+1 || c.opens(sessions[0]) || !c.opens(sessions[1]) {
		t.Errorf("got %d keys, want the key and its newest %d sessions", got, ffrtmp.MaxSessions)
	}
	c.after(ffrtmp.SessionLife + ffrtmp.SessionKept + time.Hour)
	if _, err := c.openSession("bootstrap", ffrtmp.KeySession); err != nil {
		t.Fatal(err)
	}
	if got := len(c.fsm.Keys()); got != 2 {
		t.Errorf("got %d keys, want the key and the new session", got)
	}
	c.checkDerived()
}
