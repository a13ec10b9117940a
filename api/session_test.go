package api

import (
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// openSession opens a session with a key and returns it, with the header that carries it.
func (m *master) openSession(body string, key ...string) (ffrtmp.CreatedKey, []string) {
	m.t.Helper()
	var k ffrtmp.CreatedKey
	m.want(201, "POST", "/session", body, key...).decode(m.t, &k)
	return k, []string{"Authorization", "Bearer " + k.Secret}
}

// A session has the scopes of the key that opened it, is listed and audited, and ends when it signs out.
func TestSession_Lifecycle(t *testing.T) {
	m := newMaster(t)
	parent, key := m.createKey(`{"name":"ann","scopes":["read"]}`)
	session, own := m.openSession("", key...)
	if left := time.Until(session.ExpiresAt); left > ffrtmp.SessionLife || left < ffrtmp.SessionLife-time.Hour ||
		session.Kind != ffrtmp.KeySession || session.Name != "ann" || session.CreatedBy != parent.ID {
		t.Errorf("got %+v, want a session of ann for 12 hours", session)
	}
	var who ffrtmp.Identity
	m.want(200, "GET", "/session", "", own...).decode(t, &who)
	if who.KeyID != session.ID || who.Name != "ann" || !who.May(ffrtmp.ScopeRead) || who.May(ffrtmp.ScopeSubmit) {
		t.Errorf("got %+v, want ann, who may read", who)
	}
	m.want(200, "GET", "/jobs", "", own...)
	m.want(403, "POST", "/jobs", `{"scenario":"720p"}`, own...)
	m.want(403, "POST", "/session", "", own...)
	if r := m.want(200, "GET", "/keys", ""); !strings.Contains(string(r.body), `"kind":"session"`) {
		t.Errorf("got %s, want the session listed", r.body)
	}
	m.want(200, "DELETE", "/session", "", own...)
	m.want(401, "GET", "/session", "", own...)
	m.want(409, "DELETE", "/session", "", key...)
	audit := string(m.want(200, "GET", "/audit", "").body)
	if !strings.Contains(audit, "kind=session") ||
		!strings.Contains(audit, `"action":"key.revoke","target":"`+session.ID) {
		t.Errorf("got %s, want the session's beginning and end", audit)
	}
}

// The bootstrap key has sessions, too. A key's sessions end with it.
func TestSession_EndsWithKey(t *testing.T) {
	m := newMaster(t)
	var who ffrtmp.Identity
	_, boot := m.openSession("")
	m.want(200, "GET", "/session", "", boot...).decode(t, &who)
	if who.Name != "bootstrap" || !who.May(ffrtmp.ScopeAdmin) {
		t.Errorf("got %+v, want an admin called bootstrap", who)
	}
	parent, key := m.createKey(`{"name":"ann","scopes":["submit"],"expires_in":"1h"}`)
	session, own := m.openSession("{}", key...)
	if !session.ExpiresAt.Equal(parent.ExpiresAt) {
		t.Errorf("got a session until %s, want it to end with its key at %s", session.ExpiresAt, parent.ExpiresAt)
	}
	m.want(200, "DELETE", "/keys/"+parent.ID, "")
	m.want(401, "GET", "/session", "", own...)
	m.want(200, "GET", "/session", "", boot...)
}

// A one-time key opens one session and does nothing else.
func TestSession_OneTime(t *testing.T) {
	m := newMaster(t)
	parent, key := m.createKey(`{"name":"ann","scopes":["submit"]}`)
	once, token := m.openSession(`{"one_time":true}`, key...)
	if left := time.Until(once.ExpiresAt); left > ffrtmp.SignInLife {
		t.Errorf("got a one-time key for %s, want a minute", left)
	}
	m.want(403, "GET", "/jobs", "", token...)
	m.want(403, "POST", "/session", `{"one_time":true}`, token...)
	session, own := m.openSession("", token...)
	if session.CreatedBy != parent.ID || time.Until(session.ExpiresAt) < ffrtmp.SessionLife-time.Hour {
		t.Errorf("got %+v, want a session of ann's key for 12 hours", session)
	}
	m.want(401, "POST", "/session", "", token...)
	m.want(200, "GET", "/jobs", "", own...)
	m.want(200, "DELETE", "/keys/"+parent.ID, "")
	m.want(401, "GET", "/jobs", "", own...)
}

// A visitor without a key who asks whether one is needed is no failure; with a wrong one, or elsewhere, it is.
func TestSession_FirstVisit(t *testing.T) {
	m := newMaster(t)
	m.want(401, "GET", "/session", "", "Authorization", "")
	if logs := m.logs.String(); strings.Contains(logs, "authentication failed") {
		t.Errorf("got log\n%s\nwant no failure", logs)
	}
	for i, test := range []struct{ path, key string }{{"/session", "Bearer wrong"}, {"/jobs", ""}, {"/none", ""}} {
		m.want(401, "GET", test.path, "", "Authorization", test.key)
		if got := strings.Count(m.logs.String(), "authentication failed"); got != i+1 {
			t.Errorf("after %s with %q: got %d failures in the log, want %d", test.path, test.key, got, i+1)
		}
	}
}
