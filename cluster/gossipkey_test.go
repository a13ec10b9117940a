package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

func gossipTestKey(c string) []byte { return []byte(strings.Repeat(c, 16)) }

// Kept keys survive a restart, also when they are not those of the configuration; a changed
// configuration is newer; a damaged file is set aside.
func TestKeyring_Open(t *testing.T) {
	key, path := gossipTestKey, filepath.Join(t.TempDir(), keyringFile)
	open := func(want string, configured ...[]byte) *keyring {
		t.Helper()
		k, err := openKeyring(path, configured, hclog.NewNullLogger())
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, key := range k.current().Keys {
			got += string(key[:1])
		}
		if got != want || len(want) > 0 && string(k.ring.GetPrimaryKey()[:1]) != want[:1] {
			t.Fatalf("got keys %s, want %s", got, want)
		}
		return k
	}
	open("")
	k := open("a", key("a"), key("a"))
	if _, err := k.replace(keySet{Revision: 1, Keys: [][]byte{key("b"), key("c")}}); err != nil {
		t.Fatal(err)
	}
	open("bc", key("a"), key("a")) // a was removed, and stays in the configuration
	open("bc")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want mode 0600", info.Mode(), err)
	}
	open("d", key("d"))
	open("d", key("d"))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(data), `"keys":["`) + 10
	data[at]++ // still a key
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	open("e", key("e"))
	if aside, err := filepath.Glob(path + ".damaged-*"); err != nil || len(aside) != 1 {
		t.Errorf("got %v, %v, want the damaged file set aside", aside, err)
	}
	if _, err := openKeyring("", [][]byte{[]byte("short")}, hclog.NewNullLogger()); err == nil {
		t.Error("key of 5 bytes: got no error, want one")
	}
}

// Packets are decrypted while keys come and go; older keys change nothing.
func TestKeyring_Replace(t *testing.T) {
	k, err := openKeyring("", [][]byte{gossipTestKey("a")}, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 10_000 {
			for _, key := range k.ring.GetKeys() {
				if len(key) != 16 {
					t.Errorf("got key %x", key)
				}
			}
		}
	}()
	for i := range uint64(200) {
		next := keySet{Revision: i + 1}
		for j := range i%4 + 1 {
			next.Keys = append(next.Keys, gossipTestKey(string(rune('a'+(i+j)%7))))
		}
		if _, err := k.replace(next); err != nil {
			t.Fatal(err)
		}
		if got := k.ring.GetKeys(); !next.equal(keySet{Revision: i + 1, Keys: got}) {
			t.Fatalf("revision %d: got keys %s, want %s", i+1, got, next.Keys)
		}
	}
	<-done
	if changed, err := k.replace(keySet{Revision: 3, Keys: [][]byte{gossipTestKey("z")}}); changed || err != nil {
		t.Errorf("older keys: got changed %v, %v, want neither", changed, err)
	}
	for _, keys := range [][][]byte{
		nil, {[]byte("short")}, slices.Repeat([][]byte{gossipTestKey("a")}, maxGossipKeys+1),
	} {
		if _, err := k.replace(keySet{Revision: 999, Keys: keys}); err == nil {
			t.Errorf("keys %s: got no error, want one", keys)
		}
	}
}

// A rotation over three masters, with one that is down: it is refused, forced, and made up for
// when that master returns with the old key.
func TestGossipKeys_Rotation(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	lead := leader(t, masters...)
	testkit.Eventually(t, "three voters", func() bool { return len(lead.voters()) == 3 })
	oldKey, newKey := "0123456789abcdef", "fedcba9876543210"
	old, next := KeyFingerprint([]byte(oldKey)), KeyFingerprint([]byte(newKey))
	change := func(c KeyChange) error {
		t.Helper()
		_, err := lead.ChangeGossipKeys(testkit.Context(t), c)
		return err
	}
	for _, c := range []KeyChange{
		{Action: UseKey, Fingerprint: next, Force: true}, {Action: RemoveKey, Fingerprint: old, Force: true},
	} {
		if err := change(c); err == nil {
			t.Errorf("%s before the installation: got no error, want one", c.Action)
		}
	}
	gone := without(masters, lead)[0]
	rest := without(masters, gone)
	gone.stop()
	request := KeyRequest{ID: "r1", Hash: "h1"}
	install := KeyChange{Action: InstallKey, Key: []byte(newKey), Request: request}
	done, err := lead.ChangeGossipKeys(testkit.Context(t), install)
	if err != nil || !done.Changed || len(done.Missing) != 1 {
		t.Fatalf("install: got %+v, %v, want it missing on one master", done, err)
	}
	// Each master knows which request has installed the key, should it lead next.
	for _, m := range rest {
		if key, err := m.InstalledGossipKey(testkit.Context(t), request); err != nil || string(key) != newKey {
			t.Errorf("got %q, %v as installed, want the key", key, err)
		}
		_, err := m.InstalledGossipKey(testkit.Context(t), KeyRequest{ID: "r1", Hash: "h2"})
		if !errors.Is(err, ErrImpossible) {
			t.Errorf("another request with the idempotency key: got %v, want it refused", err)
		}
	}
	for _, action := range []KeyAction{UseKey, RemoveKey} {
		fingerprint := map[KeyAction]string{UseKey: next, RemoveKey: old}[action]
		if err := change(KeyChange{Action: action, Fingerprint: fingerprint}); !errors.Is(err, ErrImpossible) {
			t.Errorf("%s with a master down: got %v, want it refused", action, err)
		}
		if err := change(KeyChange{Action: action, Fingerprint: fingerprint, Force: true}); err != nil {
			t.Errorf("%s with force: got %v, want none", action, err)
		}
	}
	for _, m := range rest {
		if keys := m.keyring.current().Keys; len(keys) != 1 || string(keys[0]) != newKey {
			t.Errorf("got keys %s of %s, want the new one only", keys, m.ID())
		}
	}
	back := start(t, gone.cfg) // its file and its configuration have the old key
	for _, m := range append(rest, back) {
		testkit.Eventually(t, "three masters in view", func() bool { return len(m.gossip.alive()) == 3 })
	}
	testkit.Eventually(t, "the new key on three masters", func() bool { // one may be too busy to answer at once
		list, err := lead.GossipKeys(testkit.Context(t))
		return err == nil && len(list.Keys) == 1 && len(list.Keys[0].Users) == 3 && list.Keys[0].Fingerprint == next
	})
	if err := change(KeyChange{Action: RemoveKey, Fingerprint: next, Force: true}); !errors.Is(err, ErrImpossible) {
		t.Errorf("remove the key in use: got %v, want it refused", err)
	}
	// It has been written to the disk: the next start needs nobody.
	again := back.restart(nil)
	if keys := again.keyring.current().Keys; len(keys) != 1 || string(keys[0]) != newKey {
		t.Errorf("got keys %s after a restart, want the new one", keys)
	}
}

// A single master has no gossip, and one without keys has nothing to rotate.
func TestGossipKeys_NotEncrypted(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cfg := a.config("m0", 1)
	cfg.GossipKeys = nil
	for _, m := range []*master{startSolo(t), start(t, cfg)} {
		waitReady(t, m)
		if _, err := m.GossipKeys(testkit.Context(t)); !errors.Is(err, ErrNotEncrypted) {
			t.Errorf("list: got %v, want %v", err, ErrNotEncrypted)
		}
		_, err := m.ChangeGossipKeys(testkit.Context(t), KeyChange{Action: InstallKey, Key: gossipTestKey("a")})
		if !errors.Is(err, ErrNotEncrypted) {
			t.Errorf("install: got %v, want %v", err, ErrNotEncrypted)
		}
	}
}
