package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// keysTick is how often the leader compares the members' gossip keys with its own.
const keysTick = 2 * time.Second

// ErrNotEncrypted means that gossip has no keys.
var ErrNotEncrypted = errors.New("gossip is not encrypted: start every master with --gossip-key-file")

// KeyAction is what an operator does with a gossip key.
type KeyAction string

// The actions, in the order of a rotation.
const (
	InstallKey KeyAction = "install" // every master decrypts with it
	UseKey     KeyAction = "use"     // every master encrypts with it
	RemoveKey  KeyAction = "remove"
)

// KeyChange is a change of the gossip keys of all masters.
type KeyChange struct {
	Action      KeyAction
	Key         []byte // to install
	Fingerprint string // to use or remove
	Force       bool   // although a master does not answer
	Request     KeyRequest
}

// KeyChanged is what a change has done.
type KeyChanged struct {
	Fingerprint string
	Changed     bool     // false: it was so already
	Missing     []string // names of masters that do not know yet; the leader tells them when they answer
}

// GossipKey is one key, as far as the masters that answer have it.
type GossipKey struct {
	Fingerprint string
	Primary     bool     // the leader encrypts with it
	Holders     []string // names of the masters that have it
	Users       []string // names of the masters that encrypt with it
}

// GossipKeys is the keys of all masters.
type GossipKeys struct {
	Masters int
	Silent  []string // names of masters that do not answer
	Keys    []GossipKey
}

// NoKeyError says that no key has a fingerprint.
type NoKeyError struct{ Fingerprint string }

func (e *NoKeyError) Error() string {
	return fmt.Sprintf("no gossip key has the fingerprint %q", e.Fingerprint)
}

// ringStatus is a master's gossip keys in its status.
type ringStatus struct {
	Revision uint64   `json:"revision"`
	Keys     []string `json:"keys"` // fingerprints; the first encrypts
}

func (r *ringStatus) equal(s keySet) bool {
	return r != nil && r.Revision == s.Revision && slices.Equal(r.Keys, fingerprints(s.Keys))
}

// ringStatus returns this master's, nil without encrypted gossip.
func (n *Node) ringStatus() *ringStatus {
	if n.keyring == nil || !n.keyring.encrypted() {
		return nil
	}
	s := n.keyring.current()
	return &ringStatus{Revision: s.Revision, Keys: fingerprints(s.Keys)}
}

// ring is the gossip keys of all masters, as they answer.
type ring struct {
	servers  []raft.Server
	statuses map[string]status
}

func (n *Node) askRing(ctx context.Context) ring {
	servers := n.servers()
	ids := make([]string, len(servers))
	for i, s := range servers {
		ids[i] = string(s.ID)
	}
	return ring{servers, n.statuses(ctx, ids)}
}

// without returns the names of the masters that do not answer, or whose keys fail a test.
func (r ring) without(has func(*ringStatus) bool) (names []string) {
	for _, s := range r.servers {
		if answer, ok := r.statuses[string(s.ID)]; !ok || answer.GossipKeys == nil || !has(answer.GossipKeys) {
			names = append(names, string(s.Address))
		}
	}
	slices.Sort(names)
	return names
}

// GossipKeys asks every master for its keys.
func (n *Node) GossipKeys(ctx context.Context) (GossipKeys, error) {
	own := n.ringStatus()
	if own == nil {
		return GossipKeys{}, ErrNotEncrypted
	}
	r := n.askRing(ctx)
	list := GossipKeys{Masters: len(r.servers), Silent: r.without(func(*ringStatus) bool { return true })}
	for _, name := range own.Keys {
		list.Keys = append(list.Keys, GossipKey{Fingerprint: name, Primary: name == own.Keys[0]})
	}
	for _, s := range r.servers {
		if answer, ok := r.statuses[string(s.ID)]; ok && answer.GossipKeys != nil {
			list.add(string(s.Address), answer.GossipKeys.Keys)
		}
	}
	return list, nil
}

// add counts a master's keys.
func (l *GossipKeys) add(master string, keys []string) {
	for i, name := range keys {
		at := slices.IndexFunc(l.Keys, func(k GossipKey) bool { return k.Fingerprint == name })
		if at < 0 {
			at = len(l.Keys)
			l.Keys = append(l.Keys, GossipKey{Fingerprint: name})
		}
		l.Keys[at].Holders = append(l.Keys[at].Holders, master)
		if i == 0 {
			l.Keys[at].Users = append(l.Keys[at].Users, master)
		}
	}
}

// ChangeGossipKeys changes the keys of all masters. Only the leader can. Errors are
// ErrNotEncrypted, a *NoKeyError, or wrap ErrImpossible.
func (n *Node) ChangeGossipKeys(ctx context.Context, c KeyChange) (KeyChanged, error) {
	if n.keyring == nil || !n.keyring.encrypted() {
		return KeyChanged{}, ErrNotEncrypted
	}
	if !n.IsLeader() {
		return KeyChanged{}, raft.ErrNotLeader
	}
	n.rotating.Lock()
	defer n.rotating.Unlock()
	r := n.askRing(ctx)
	if err := n.adoptNewer(ctx, r); err != nil {
		return KeyChanged{}, err
	}
	done := KeyChanged{Fingerprint: c.Fingerprint}
	if c.Action == InstallKey {
		done.Fingerprint = KeyFingerprint(c.Key)
	}
	own := n.keyring.current()
	next, err := c.apply(own, r)
	if err != nil {
		return done, err
	}
	if done.Changed = !next.equal(own); done.Changed {
		next.Revision++
		if _, err := n.keyring.replace(next); err != nil {
			return done, err
		}
		n.log.Named("gossip").Info("gossip keys changed", "action", c.Action, "fingerprint", done.Fingerprint,
			"revision", next.Revision)
	}
	done.Missing = n.sendKeys(ctx, r.servers)
	return done, nil
}

// apply returns the keys after the change. It is refused while a master that does not know
// a key would be left behind.
func (c KeyChange) apply(own keySet, r ring) (keySet, error) {
	if c.Action == InstallKey {
		return c.install(own)
	}
	at := own.index(c.Fingerprint)
	if at < 0 {
		return own, &NoKeyError{c.Fingerprint}
	}
	next := own.clone()
	next.Keys = slices.Delete(next.Keys, at, at+1)
	if c.Action == UseKey {
		if lacking := r.without(func(s *ringStatus) bool { return slices.Contains(s.Keys, c.Fingerprint) }); !c.Force &&
			len(lacking) > 0 {
			return own, impossible("%s has not got the key or is silent (--force, or ?force=true, overrides this)",
				strings.Join(lacking, ", "))
		}
		next.Keys = slices.Insert(next.Keys, 0, own.Keys[at])
		return next, nil
	}
	if at == 0 {
		return own, impossible("it encrypts: use another key first")
	}
	stale := r.without(func(s *ringStatus) bool { return s.Keys[0] == KeyFingerprint(own.Keys[0]) })
	if !c.Force && len(stale) > 0 {
		return own, impossible("%s may still encrypt with it: it does not answer, or uses another key than the leader "+
			"(--force, or ?force=true, overrides this)", strings.Join(stale, ", "))
	}
	delete(next.Requests, c.Fingerprint)
	return next, nil
}

func (c KeyChange) install(own keySet) (keySet, error) {
	switch {
	case own.index(KeyFingerprint(c.Key)) >= 0:
		return own, nil
	case len(own.Keys) == maxGossipKeys:
		return own, impossible("%d keys are the limit: remove one first", maxGossipKeys)
	}
	own = own.clone()
	own.Keys = append(own.Keys, c.Key)
	if c.Request.ID != "" {
		if own.Requests == nil {
			own.Requests = map[string]KeyRequest{}
		}
		own.Requests[KeyFingerprint(c.Key)] = c.Request
	}
	return own, nil
}

// InstalledGossipKey returns the key that a request has installed, nil for none. Errors wrap ErrNotEncrypted, or
// ErrImpossible if another request had the same idempotency key. Only the leader can tell.
func (n *Node) InstalledGossipKey(ctx context.Context, r KeyRequest) ([]byte, error) {
	if n.keyring == nil || !n.keyring.encrypted() {
		return nil, ErrNotEncrypted
	}
	if r.ID == "" {
		return nil, nil
	}
	n.rotating.Lock()
	defer n.rotating.Unlock()
	if err := n.adoptNewer(ctx, n.askRing(ctx)); err != nil {
		return nil, err
	}
	return n.keyring.current().installedBy(r)
}

// adoptNewer takes over the keys of a master that has newer ones: an earlier leader was cut
// off after it had changed its own.
func (n *Node) adoptNewer(ctx context.Context, r ring) error {
	for _, s := range r.servers {
		answer, ok := r.statuses[string(s.ID)]
		if !ok || answer.GossipKeys == nil || answer.GossipKeys.Revision <= n.keyring.current().Revision {
			continue
		}
		var newer keySet
		if err := n.callKeys(ctx, string(s.ID), nil, &newer); err != nil {
			return err
		}
		if err := n.takeKeys(newer, string(s.Address)); err != nil {
			return err
		}
	}
	return nil
}

// takeKeys puts another master's keys in use.
func (n *Node) takeKeys(next keySet, from string) error {
	changed, err := n.keyring.replace(next)
	if changed {
		n.log.Named("gossip").Info("gossip keys received", "from", from, "revision", next.Revision,
			"fingerprints", strings.Join(fingerprints(next.Keys), ","))
	}
	return err
}

// sendKeys sends this leader's keys to the other masters and returns the names of those that
// did not take them.
func (n *Node) sendKeys(ctx context.Context, servers []raft.Server) (missing []string) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	own := n.keyring.current()
	for _, s := range servers {
		if string(s.ID) == n.id.ID {
			continue
		}
		wg.Go(func() {
			var taken keySet
			if err := n.callKeys(ctx, string(s.ID), own, &taken); err != nil || !taken.equal(own) {
				n.log.Named("gossip").Warn("cannot send gossip keys", "id", s.ID, "name", s.Address, "error", err)
				mu.Lock()
				defer mu.Unlock()
				missing = append(missing, string(s.Address))
			}
		})
	}
	wg.Wait()
	slices.Sort(missing)
	return missing
}

func (n *Node) callKeys(ctx context.Context, id string, request, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return n.peers.call(ctx, id, "gossip-keys", request, answer)
}

// keepKeys sends the leader's keys to masters that have others: they were down during a
// change, or have lost them. It needs no gossip, which such a master cannot take part in.
func (n *Node) keepKeys(ctx context.Context) {
	for range every(ctx, keysTick) {
		if n.IsLeader() {
			n.compareKeys(ctx)
		}
	}
}

func (n *Node) compareKeys(ctx context.Context) {
	n.rotating.Lock()
	defer n.rotating.Unlock()
	r := n.askRing(ctx)
	if err := n.adoptNewer(ctx, r); err != nil {
		n.log.Named("gossip").Warn("cannot get newer gossip keys", "error", err)
		return
	}
	own := n.keyring.current()
	n.sendKeys(ctx, slices.DeleteFunc(r.servers, func(s raft.Server) bool {
		answer, ok := r.statuses[string(s.ID)]
		return !ok || answer.GossipKeys.equal(own)
	}))
}

// receiveKeys answers a leader that sends its keys, or one that asks for newer ones.
func (n *Node) receiveKeys(w http.ResponseWriter, r *http.Request) {
	if n.keyring == nil || !n.keyring.encrypted() {
		http.Error(w, ErrNotEncrypted.Error(), http.StatusConflict)
		return
	}
	if r.Method == http.MethodPost {
		var sent keySet
		err := json.NewDecoder(io.LimitReader(r.Body, answerLimit)).Decode(&sent)
		if err == nil {
			err = n.takeKeys(sent, "the leader")
		}
		if err != nil {
			http.Error(w, "gossip keys: not taken", http.StatusBadRequest)
			n.log.Named("gossip").Warn("cannot take gossip keys", "error", err)
			return
		}
	}
	writeJSON(w, http.StatusOK, n.keyring.current())
}
