package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/cluster"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/internal/gossipkey"
)

// newGossipKey is the body of an installation, which may be empty.
type newGossipKey struct{ ffrtmp.NewGossipKey }

func (*newGossipKey) optional() {}

// key returns the key, and its text if it is a new one.
func (k *newGossipKey) key() (key []byte, generated string, err error) {
	if k.Key == "" {
		key = gossipkey.New()
		return key, base64.StdEncoding.EncodeToString(key), nil
	}
	keys, err := gossipkey.Parse([]byte(k.Key))
	if err != nil || len(keys) != 1 {
		return nil, "", ffrtmp.FieldErrorf("key", "must be one key, base64 of 16, 24 or 32 bytes")
	}
	return keys[0], "", nil
}

func (s *Server) listGossipKeys(c *call) (*answer, error) {
	all, err := s.cfg.Cluster.GossipKeys(c.Context())
	if err != nil {
		return nil, gossipError("list gossip keys", err)
	}
	list := ffrtmp.GossipKeyList{
		Keys: []ffrtmp.GossipKey{}, Count: len(all.Keys), Masters: all.Masters, Unreachable: noNull(all.Silent),
	}
	for _, k := range all.Keys {
		list.Keys = append(list.Keys, ffrtmp.GossipKey{
			Fingerprint: k.Fingerprint, Primary: k.Primary,
			Masters: noNull(k.Holders), PrimaryOn: noNull(k.Users),
		})
	}
	return &answer{body: list}, nil
}

// noNull sorts names, and makes none an empty array in JSON.
func noNull(names []string) []string {
	sorted := append([]string{}, names...)
	slices.Sort(sorted)
	return sorted
}

// installGossipKey gives every master a key, which none encrypts with yet. The key goes over
// the peer port only, never into the log.
func (s *Server) installGossipKey(c *call, in *newGossipKey) (*answer, error) {
	key, generated, err := in.key()
	if err != nil {
		return nil, err
	}
	s.gossipInstalls.Lock()
	defer s.gossipInstalls.Unlock()
	change := cluster.KeyChange{Action: cluster.InstallKey, Key: key, Request: keyRequest(c.idempotency)}
	earlier, err := s.cfg.Cluster.InstalledGossipKey(c.Context(), change.Request)
	if err != nil {
		return nil, gossipError("install gossip key", err)
	}
	if earlier != nil {
		return s.repeatInstallation(c, change, earlier, generated != "")
	}
	change.Fingerprint = cluster.KeyFingerprint(change.Key)
	a, err := s.changeGossipKeys(c, change, "installed")
	if err != nil {
		return nil, err
	}
	a.body.Key = generated
	return &answer{index: a.index, body: a.body}, nil
}

// repeatInstallation answers as before, and sends the key to masters that have missed it. It is in the audit log.
func (s *Server) repeatInstallation(c *call, change cluster.KeyChange, key []byte, generated bool) (*answer, error) {
	change.Key = key
	changed, err := s.cfg.Cluster.ChangeGossipKeys(c.Context(), change)
	if err != nil {
		return nil, gossipError("install gossip key", err)
	}
	body := ffrtmp.GossipKeyChange{
		Status: "installed", Fingerprint: cluster.KeyFingerprint(key), Missing: changed.Missing,
	}
	if generated {
		body.Key = base64.StdEncoding.EncodeToString(key)
	}
	return &answer{body: body}, nil
}

// keyRequest identifies a request by its sender and idempotency key.
func keyRequest(id fsm.Idempotency) (r cluster.KeyRequest) {
	if id.Key == "" {
		return r
	}
	sum := sha256.Sum256([]byte(id.Principal + "\x00" + id.Key))
	return cluster.KeyRequest{ID: hex.EncodeToString(sum[:]), Hash: hex.EncodeToString(id.Hash[:])}
}

// rotateGossipKeys returns the endpoint of a change of a key that the masters have.
func (s *Server) rotateGossipKeys(action cluster.KeyAction, done string) func(*call, *nothing) (*answer, error) {
	return func(c *call, _ *nothing) (*answer, error) {
		force, err := queryBool(c.URL.Query(), "force")
		if err != nil {
			return nil, err
		}
		change := cluster.KeyChange{Action: action, Fingerprint: c.PathValue("fingerprint"), Force: force}
		a, err := s.changeGossipKeys(c, change, done)
		return &answer{index: a.index, body: a.body}, err
	}
}

// keysChanged is the answer to a change, at an index.
type keysChanged struct {
	index uint64
	body  ffrtmp.GossipKeyChange
}

// changeGossipKeys writes the audit record first: a key that is in use must have one.
func (s *Server) changeGossipKeys(c *call, change cluster.KeyChange, done string) (keysChanged, error) {
	index, err := s.cfg.Proposer.Note(c.Context(), "gossip."+string(change.Action), change.Fingerprint)
	if err != nil {
		return keysChanged{}, err
	}
	changed, err := s.cfg.Cluster.ChangeGossipKeys(c.Context(), change)
	if err != nil {
		return keysChanged{}, gossipError(string(change.Action)+" gossip key", err)
	}
	if !changed.Changed {
		done = "unchanged"
	}
	return keysChanged{index, ffrtmp.GossipKeyChange{
		Status: done, Fingerprint: changed.Fingerprint, Missing: changed.Missing,
	}}, nil
}

func gossipError(operation string, err error) error {
	if _, unknown := errors.AsType[*cluster.NoKeyError](err); unknown {
		return ffrtmp.Errorf(ffrtmp.NotFound, "%w", err)
	}
	return membershipError(operation, err)
}
