package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ffrtmp/ffrtmp"
)

// createKey makes a key and returns it, with the header that carries it.
func (m *master) createKey(body string) (ffrtmp.CreatedKey, []string) {
	m.t.Helper()
	var k ffrtmp.CreatedKey
	m.want(http.StatusCreated, "POST", "/keys", body).decode(m.t, &k)
	return k, []string{"Authorization", "Bearer " + k.Secret}
}

// A key is created, its secret shown once, and revoked.
func TestKeys_Lifecycle(t *testing.T) {
	m := newMaster(t)
	r := m.want(201, "POST", "/keys",
		`{"name":"ci","scopes":["read","submit","read"],"expires_in":"1h","rate_limit":9}`)
	var k ffrtmp.CreatedKey
	r.decode(t, &k)
	id, secret, _ := strings.Cut(k.Secret, ".")
	if id != k.ID || len(secret) != 43 || r.Header.Get("Location") != "/keys/"+k.ID ||
		r.Header.Get(ffrtmp.IndexHeader) == "" {
		t.Fatalf("got %s, headers %v, want a key with its location and an index", r.body, r.Header)
	}
	if left := time.Until(
		k.ExpiresAt,
	); left > time.Hour || left < 50*time.Minute || k.Status != ffrtmp.KeyActive || k.CreatedBy != "bootstrap" ||
		k.RateLimit != 9 {
		t.Errorf("got %+v, want an active key that expires in an hour", k)
	}
	if diff := cmp.Diff([]ffrtmp.Scope{ffrtmp.ScopeSubmit, ffrtmp.ScopeRead}, k.Scopes); diff != "" {
		t.Error(diff)
	}
	own := []string{"Authorization", "Bearer " + k.Secret}
	m.want(201, "POST", "/jobs", `{"scenario":"720p"}`, own...)
	_, other := m.createKey(
		`{"name":"rotated","scopes":["submit"],"expires_at":"` + time.Now().Add(time.Hour).Format(time.RFC3339) + `"}`)
	m.want(200, "GET", "/jobs", "", own...) // both live

	r = m.want(200, "GET", "/keys", "")
	var list ffrtmp.KeyList
	r.decode(t, &list)
	if list.Count != 2 || len(list.Keys) != 2 || list.Keys[0].ID != k.ID || strings.Contains(string(r.body), secret) ||
		strings.Contains(string(r.body), "hash") {
		t.Errorf("got %s, want two keys without secrets", r.body)
	}
	if r := m.want(200, "DELETE", "/keys/"+k.ID, ""); string(r.body) != `{"status":"revoked","key_id":"`+k.ID+"\"}\n" {
		t.Errorf("got %s, want revoked", r.body)
	}
	m.want(200, "DELETE", "/keys/"+k.ID, "")
	if r := m.want(401, "GET", "/jobs", "", own...); !strings.Contains(string(r.body), "revoked") {
		t.Errorf("got %s, want revoked", r.body)
	}
	m.want(200, "GET", "/jobs", "", other...)
	var shown ffrtmp.Key
	m.want(200, "GET", "/keys/"+k.ID, "").decode(t, &shown)
	if shown.Status != ffrtmp.KeyRevoked || shown.RevokedAt.IsZero() {
		t.Errorf("got %+v, want a revoked key", shown)
	}
	m.want(404, "GET", "/keys/unknown", "")
	m.want(404, "DELETE", "/keys/unknown", "")
	if strings.Contains(m.logs.String(), secret) {
		t.Error("got the secret in the log, want none")
	}
}

// Unknown, malformed and revoked keys.
func TestKeys_Refused(t *testing.T) {
	m := newMaster(t)
	for body, field := range map[string]string{
		`{"scopes":["read"]}`:                                                               "name",
		`{"name":"a\nb","scopes":["read"]}`:                                                 "name",
		`{"name":"n"}`:                                                                      "scopes",
		`{"name":"n","scopes":["root"]}`:                                                    "scopes[0]",
		`{"name":"n","scopes":"read"}`:                                                      "scopes",
		`{"name":"n","scopes":["read"],"expires_in":"-1s"}`:                                 "expires_in",
		`{"name":"n","scopes":["read"],"expires_in":"tomorrow"}`:                            "expires_in",
		`{"name":"n","scopes":["read"],"expires_in":9e9}`:                                   "expires_in",
		`{"name":"n","scopes":["read","root"]}`:                                             "scopes[1]",
		`{"name":"n","scopes":["read"],"expires_at":7}`:                                     "expires_at",
		`{"name":"n","scopes":["read"],"expires_at":"2026-13-01T00:00:00Z"}`:                "expires_at",
		`{"name":"n","scopes":["read"],"expires_at":"2001-01-01T00:00:00Z"}`:                "expires_at",
		`{"name":"n","scopes":["read"],"expires_in":1,"expires_at":"2101-01-01T00:00:00Z"}`: "expires_in",
		`{"name":"n","scopes":["read"],"rate_limit":-1}`:                                    "rate_limit",
	} {
		var p problem
		m.want(400, "POST", "/keys", body).decode(t, &p)
		if p.Field != field || p.Code != ffrtmp.Invalid {
			t.Errorf("%s: got %+v, want field %s", body, p, field)
		}
	}
	k, _ := m.createKey(`{"name":"n","scopes":["read"]}`)
	id, secret, _ := strings.Cut(k.Secret, ".")
	for _, token := range []string{
		id, secret, id + ".", id + "." + secret + "x", "0123456789abcdef." + secret, "." + secret, k.Secret + ".x",
	} {
		r := m.want(401, "GET", "/jobs", "", "Authorization", "Bearer "+token)
		if !strings.Contains(string(r.body), "the API key is not valid") {
			t.Errorf("%q: got %s, want an invalid key", token, r.body)
		}
	}
	if logs := m.logs.String(); !strings.Contains(logs, "authentication failed: source=127.0.0.1") ||
		strings.Contains(logs, secret) {
		t.Errorf("got log\n%s\nwant the source and no secret", logs)
	}
}

// A key expires by the master's clock.
func TestKeys_Expiry(t *testing.T) {
	m := newMaster(t)
	k, own := m.createKey(`{"name":"n","scopes":["read"],"expires_in":0.3}`)
	eventually(t, "the key expires", func() bool { return m.request("GET", "/jobs", "", own...).StatusCode == 401 })
	if !time.Now().After(k.ExpiresAt) {
		t.Errorf("got a refusal before %s, want it after", k.ExpiresAt)
	}
	var shown ffrtmp.Key
	m.want(200, "GET", "/keys/"+k.ID, "").decode(t, &shown)
	if shown.Status != ffrtmp.KeyExpired {
		t.Errorf("got %+v, want an expired key", shown)
	}
}

// A repeated request, as after a lost answer, gives the same key.
func TestKeys_Idempotency(t *testing.T) {
	m := newMaster(t)
	once := []string{"Idempotency-Key", "k"}
	var first, second ffrtmp.CreatedKey
	m.want(201, "POST", "/keys", `{"name":"n","scopes":["read"]}`, once...).decode(t, &first)
	m.want(200, "POST", "/keys", `{"scopes":["read"],"name":"n"}`, once...).decode(t, &second)
	m.want(409, "POST", "/keys", `{"name":"m","scopes":["read"]}`, once...)
	if first.ID != second.ID || first.Secret == second.Secret {
		t.Errorf("got %+v, then %+v, want one id and two secrets", first, second)
	}
	m.want(401, "GET", "/jobs", "", "Authorization", "Bearer "+first.Secret)
	m.want(200, "GET", "/jobs", "", "Authorization", "Bearer "+second.Secret)
}

// Idempotency keys belong to one API key.
func TestIdempotency_ByPrincipal(t *testing.T) {
	m := newMaster(t)
	_, a := m.createKey(`{"name":"a","scopes":["submit"]}`)
	_, b := m.createKey(`{"name":"b","scopes":["submit"]}`)
	once := []string{"Idempotency-Key", "k"}
	m.want(201, "POST", "/jobs", `{"scenario":"720p"}`, append(once, a...)...)
	m.want(200, "POST", "/jobs", `{"scenario":"720p"}`, append(once, a...)...)
	m.want(201, "POST", "/jobs", `{"scenario":"720p"}`, append(once, b...)...)
}

// Streams and long polls end with their key.
func TestKeys_RevokedWhileWaiting(t *testing.T) {
	m := newMaster(t)
	m.submit(`{"scenario":"720p"}`)
	for _, limit := range []string{"", `,"expires_in":0.5`} {
		k, own := m.createKey(`{"name":"n","scopes":["read","agent"]` + limit + `}`)
		ended := make(chan error, 2)
		poll := func(method, path, body string) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_, err := m.try(ctx, method, path, body, own...)
			if errors.Is(err, context.DeadlineExceeded) {
				ended <- err
				return
			}
			ended <- nil
		}
		node := m.registered()
		go poll("GET", "/jobs/1/logs?follow", "")
		go poll("POST", "/jobs/claim", `{"node_id":"`+node+`","wait":"60s"}`)
		if limit == "" {
			eventually(t, "both wait", func() bool { return m.waiting() == 2 })
			m.want(200, "DELETE", "/keys/"+k.ID, "")
		}
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
}

// registered registers a node without jobs.
func (m *master) registered() string {
	m.t.Helper()
	m.request("POST", "/nodes/register",
		`{"node_id":"`+nodeA+`","address":"a","max_concurrent_jobs":1,"encoders":["none"]}`)
	return nodeA
}

// waiting counts requests in flight.
func (m *master) waiting() int {
	m.api.inFlight.mu.Lock()
	defer m.api.inFlight.mu.Unlock()
	return m.api.inFlight.n
}

// apart returns a leader and a follower with separate states: the test decides how far the follower
// lags.
func apart(t *testing.T) (leader, follower *master, catchUp func()) {
	leader, follower = newMaster(t), startMaster(t, "m2", nil)
	follower.cluster.transport = transport{newPeerPort(t, leader), follower}
	follower.follow(leader)
	applied := 0
	return leader, follower, func() {
		t.Helper()
		leader.log.mu.Lock()
		entries := leader.log.entries[applied:]
		applied = len(leader.log.entries)
		leader.log.mu.Unlock()
		if len(entries) > 0 {
			follower.fsm.ApplyBatch(entries)
		}
	}
}

// The leader refuses a key that a lagging follower still accepts.
func TestKeys_RevokedAtTheLeader(t *testing.T) {
	leader, follower, catchUp := apart(t)
	k, own := leader.createKey(`{"name":"n","scopes":["submit"]}`)
	catchUp()
	follower.want(201, "POST", "/jobs", `{"scenario":"720p"}`, own...)
	leader.want(200, "DELETE", "/keys/"+k.ID, "")
	follower.want(200, "GET", "/jobs?stale", "", own...) // the revocation has not reached it
	r := follower.want(401, "POST", "/jobs", `{"scenario":"720p"}`, own...)
	if r.Header.Get(ffrtmp.ServedByHeader) != "m1" || !strings.Contains(string(r.body), "revoked") {
		t.Errorf("got %s from %s, want revoked from m1", r.body, r.Header.Get(ffrtmp.ServedByHeader))
	}
	follower.want(401, "GET", "/jobs", "", own...)
	catchUp()
	if r := follower.want(401, "GET", "/jobs?stale", "", own...); r.Header.Get(ffrtmp.ServedByHeader) != "m2" {
		t.Errorf("got an answer by %s, want m2", r.Header.Get(ffrtmp.ServedByHeader))
	}
}

// A key is valid at every master as soon as it has been created.
func TestKeys_NewAtAFollower(t *testing.T) {
	leader, follower, catchUp := apart(t)
	follower.api.keyWait = 10 * time.Second
	_, own := leader.createKey(`{"name":"n","scopes":["submit"]}`)
	answered := make(chan int, 1)
	go func() {
		r, err := follower.try(t.Context(), "POST", "/jobs", `{"scenario":"720p"}`, own...)
		if err != nil {
			t.Error(err)
		}
		answered <- r.StatusCode
	}()
	eventually(t, "the follower waits", func() bool { return follower.waiting() == 1 })
	catchUp()
	if status := <-answered; status != 201 {
		t.Errorf("got %d, want 201", status)
	}
	follower.api.keyWait = 10 * time.Millisecond
	forged := []string{"Authorization", "Bearer 0123456789abcdef.secret"}
	follower.want(401, "POST", "/jobs", `{"scenario":"720p"}`, forged...)
	// A master that cannot know refers the client to another one.
	follower.cluster.mu.Lock()
	follower.cluster.readyErr = errors.New("has not caught up")
	follower.cluster.mu.Unlock()
	var p problem
	follower.want(503, "POST", "/jobs", `{"scenario":"720p"}`, forged...).decode(t, &p)
	if p.Code != ffrtmp.NoLeader || !strings.Contains(p.Error, "has not caught up") {
		t.Errorf("got %+v, want no_leader", p)
	}
}
