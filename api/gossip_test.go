package api

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/cluster"
)

const sampleGossipKey = "MDEyMzQ1Njc4OWFiY2RlZg=="

// gossipTraffic reaches the endpoints of gossip keys with every status that they document.
func (m *master) gossipTraffic() {
	m.t.Helper()
	const path = "/cluster/gossip-keys"
	change := func(method, path string) {
		m.want(200, method, path, "")
		m.want(400, method, path, "[]")
		m.cluster.keysErr = &cluster.NoKeyError{Fingerprint: "f1"}
		m.want(404, method, path, "")
		m.cluster.keysErr = fmt.Errorf("%w: m3 does not answer", cluster.ErrImpossible)
		m.want(409, method, path, "")
		m.cluster.keysErr = nil
	}
	m.want(200, "GET", path, "")
	m.want(400, "GET", path+"?index=x", "")
	m.want(200, "POST", path, "")
	m.want(400, "POST", path, `{"key":"short"}`)
	m.cluster.keysErr = cluster.ErrNotEncrypted
	m.want(409, "GET", path, "")
	m.want(409, "POST", path, "")
	m.cluster.keysErr = nil
	change("POST", path+"/f1/use?force")
	change("DELETE", path+"/f1")
}

// A given key is installed as it is and never returned; without one a key is made and returned.
func TestGossipKeys_Install(t *testing.T) {
	m := newMaster(t)
	var done ffrtmp.GossipKeyChange
	r := m.want(200, "POST", "/cluster/gossip-keys", `{"key":"`+sampleGossipKey+`"}`)
	r.decode(t, &done)
	if got := m.cluster.keyChanges[0]; string(got.Key) != "0123456789abcdef" || done.Status != "installed" ||
		done.Fingerprint != cluster.KeyFingerprint(got.Key) || strings.Contains(string(r.body), sampleGossipKey) {
		t.Errorf("got change %+v, answer %s, want the given key installed and not returned", got, r.body)
	}
	m.want(200, "POST", "/cluster/gossip-keys", "").decode(t, &done)
	made, err := base64.StdEncoding.DecodeString(done.Key)
	if got := m.cluster.keyChanges[1]; err != nil || len(made) != 32 || string(got.Key) != string(made) {
		t.Errorf("got %+v (%v), want a new key of 32 bytes", done, err)
	}
	for _, body := range []string{
		`{"key":"x"}`, `{"key":"` + sampleGossipKey + " " + sampleGossipKey + `"}`, `{"key":1}`,
	} {
		var p problem
		if m.want(400, "POST", "/cluster/gossip-keys", body).decode(t, &p); p.Field != "key" {
			t.Errorf("%s: got field %q (%s), want key", body, p.Field, p.Error)
		}
	}
}

// Each change is audited by fingerprint, and no key is in the audit log or the master's log.
func TestGossipKeys_Audited(t *testing.T) {
	m := newMaster(t)
	m.want(200, "POST", "/cluster/gossip-keys", `{"key":"`+sampleGossipKey+`"}`)
	m.want(200, "POST", "/cluster/gossip-keys/f1/use?force=true", "")
	m.want(200, "DELETE", "/cluster/gossip-keys/f1", "")
	var log ffrtmp.AuditList
	r := m.want(200, "GET", "/audit", "")
	r.decode(t, &log)
	var actions []string
	for _, record := range log.Records {
		actions = append(actions, record.Action+" "+record.Target)
	}
	want := "gossip.remove f1, gossip.use f1, gossip.install " + cluster.KeyFingerprint([]byte("0123456789abcdef"))
	if got := strings.Join(actions, ", "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if strings.Contains(string(r.body)+m.logs.String(), sampleGossipKey) {
		t.Error("got the key in the audit log or the log, want it in neither")
	}
	m.want(400, "DELETE", "/cluster/gossip-keys/f1?force=maybe", "")
	var list ffrtmp.GossipKeyList
	m.want(200, "GET", "/cluster/gossip-keys", "").decode(t, &list)
	if len(list.Keys) != 1 || list.Masters != 3 || list.Keys[0].Masters[0] != "m1" || list.Unreachable[0] != "m3" {
		t.Errorf("got %+v, want the key, three masters, and m3 not answering", list)
	}
}

// A repeated installation makes no second key: the same idempotency key gives the same answer. Another request with it
// is refused.
func TestGossipKeys_Repeated(t *testing.T) {
	m := newMaster(t)
	install := func(key, body string) (done ffrtmp.GossipKeyChange) {
		t.Helper()
		m.want(200, "POST", "/cluster/gossip-keys", body, ffrtmp.IdempotencyHeader, key).decode(t, &done)
		return done
	}
	first := install("k1", "")
	if again := install("k1", ""); first.Key == "" || again.Key != first.Key ||
		again.Fingerprint != first.Fingerprint || again.Status != "installed" {
		t.Errorf("got %+v, then %+v, want the same answer", first, again)
	}
	if other := install("k2", ""); other.Key == first.Key {
		t.Error("got the same key for another request, want a new one")
	}
	m.want(409, "POST", "/cluster/gossip-keys", `{"key":"`+sampleGossipKey+`"}`, ffrtmp.IdempotencyHeader, "k1")
	given := install("k3", `{"key":"`+sampleGossipKey+`"}`)
	var log ffrtmp.AuditList
	if m.want(200, "GET", "/audit", "").decode(t, &log); len(log.Records) != 3 {
		t.Errorf("got %d audit records, want one for each key", len(log.Records))
	}
	if again := install("k3", `{"key":"`+sampleGossipKey+`"}`); again.Fingerprint != given.Fingerprint ||
		again.Status != "installed" || again.Key != "" {
		t.Errorf("got %+v, then %+v, want the same answer without the key", given, again)
	}
}
