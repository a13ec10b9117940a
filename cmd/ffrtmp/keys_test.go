package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

const keyID = "0123456789abcdef"

func sampleKeys() []ffrtmp.Key {
	return []ffrtmp.Key{
		{
			ID: "aaaaaaaaaaaaaaaa", Name: "ci", Scopes: []ffrtmp.Scope{ffrtmp.ScopeSubmit},
			Status: ffrtmp.KeyRevoked, CreatedAt: ago(50*time.Hour + time.Minute), CreatedBy: "bootstrap",
			RevokedAt: ago(time.Hour),
		},
		{
			ID: keyID, Name: "ci", Scopes: []ffrtmp.Scope{ffrtmp.ScopeSubmit, ffrtmp.ScopeRead},
			Status: ffrtmp.KeyActive, CreatedAt: ago(time.Hour + 30*time.Second), CreatedBy: "bootstrap",
			ExpiresAt: ago(-time.Hour), RateLimit: 20,
		},
		{
			ID: "bbbbbbbbbbbbbbbb", Name: "encoders", Scopes: []ffrtmp.Scope{ffrtmp.ScopeAgent},
			Status: ffrtmp.KeyExpired, CreatedAt: ago(49*time.Hour + time.Minute), CreatedBy: keyID,
			ExpiresAt: ago(time.Hour),
		},
	}
}

func sampleAudit() ffrtmp.AuditList {
	return ffrtmp.AuditList{Count: 2, NextCursor: "4711.0", Records: []ffrtmp.AuditRecord{
		{
			ID: "4712.3", Time: ago(time.Hour), Principal: keyID, KeyName: "ops", Source: "192.0.2.7",
			RequestID: "r-2", Action: "node.remove", Target: nodeID, Detail: "force=true", Outcome: "ok",
		},
		{
			ID: "4711.0", Time: ago(2 * time.Hour), Principal: "bootstrap", Source: "2001:db8::7",
			RequestID: "r-1", Action: "job.cancel", Target: jobID, Outcome: "conflict",
		},
	}}
}

// Standard output is the secret alone, ready to be written to a file.
func TestKeysCreate(t *testing.T) {
	m := newFakeMaster(t)
	made := ffrtmp.CreatedKey{
		Key: ffrtmp.Key{
			ID: keyID, Name: "ci", Scopes: []ffrtmp.Scope{ffrtmp.ScopeSubmit, ffrtmp.ScopeRead},
			Status: ffrtmp.KeyActive, CreatedAt: ago(time.Second), CreatedBy: "bootstrap", ExpiresAt: ago(-time.Hour),
		},
		Secret: keyID + ".c2VjcmV0",
	}
	m.answer("POST /keys", http.StatusCreated, made)
	create := []string{
		"keys", "create", "ci", "--scope", "submit", "--scope", "read", "--expires", "90d", "--rate-limit",
		"20",
	}
	r := m.run(t, create...)
	if r.code != exitDone || r.out != made.Secret+"\n" || strings.Contains(r.err, "c2VjcmV0") {
		t.Errorf("got code %d, %q, %q, want %d and the secret on standard output only", r.code, r.out, r.err, exitDone)
	}
	golden(t, "keys-create.err", r.err)
	r = m.run(t, append(create, "-o", "json")...)
	if r.code != exitDone || r.err != "" {
		t.Errorf("got code %d, %q, want %d and no errors", r.code, r.err, exitDone)
	}
	golden(t, "keys-create.json", r.out)
	for when, want := range map[string]string{
		"90d": `"expires_in":"2160h0m0s"`, "12h": `"expires_in":"12h0m0s"`,
		"2101-01-31":                `"expires_at":"2101-01-31T00:00:00Z"`,
		"2101-01-31T10:00:00+02:00": `"expires_at":"2101-01-31T10:00:00+02:00"`,
	} {
		if r := m.run(t, "keys", "create", "ci", "--scope", "read,submit", "--expires", when); r.code != exitDone {
			t.Fatalf("%s: got %q, want success", when, r.err)
		}
		seen := m.seen("POST /keys")
		last := seen[len(seen)-1]
		if !strings.Contains(last.body, want) || !strings.Contains(last.body, `"scopes":["submit","read"]`) ||
			last.idempotency == "" ||
			!json.Valid([]byte(last.body)) {
			t.Errorf("--expires %s: got body %s, want %s", when, last.body, want)
		}
	}
}

// A key is revoked by its id, an unambiguous prefix of it, or the name of one active key.
func TestKeysRevoke(t *testing.T) {
	m := newFakeMaster(t)
	keys := append(sampleKeys(), ffrtmp.Key{ID: "0123ffffffffffff", Name: "web", Status: ffrtmp.KeyActive})
	m.answer("GET /keys", http.StatusOK, ffrtmp.KeyList{Keys: keys})
	m.answer("DELETE /keys/"+keyID, http.StatusOK, map[string]string{"status": "revoked", "key_id": keyID})
	for _, name := range []string{keyID, "01234", "ci"} {
		if r := m.run(t, "keys", "revoke", name); r.code != exitDone || r.out != "Key "+keyID+" revoked.\n" {
			t.Errorf("%s: got code %d, %q, %q, want %d", name, r.code, r.out, r.err, exitDone)
		}
	}
	for name, want := range map[string]string{
		"0123": "ambiguous: use one of the ids", "nobody": "no such active key",
		"encoders": "no such active key",
	} {
		if r := m.run(t, "keys", "revoke", name); r.code != exitFailed || !strings.Contains(r.err, want) {
			t.Errorf("%s: got code %d, %q, want %d, %q", name, r.code, r.err, exitFailed, want)
		}
	}
}

// Of a file with several keys the first is sent.
func TestKeyFile_FirstLine(t *testing.T) {
	m := newFakeMaster(t)
	m.answer("GET /nodes", http.StatusOK, ffrtmp.NodeList{})
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("new\nold\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.run(t, "nodes", "list", "--api-key-file", file)
	if got := m.seen("GET /nodes")[0].key; got != "Bearer new" {
		t.Errorf("got %q, want the first key", got)
	}
}
