package cluster

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/memberlist"

	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
)

const (
	keyringFile = "gossip.keys"
	// maxGossipKeys bounds the keys that each packet is tried with.
	maxGossipKeys = 16
)

// keyring is the keys of this master's gossip, in use and on disk. Safe for concurrent use.
type keyring struct {
	path string              // "" = nothing is kept
	ring *memberlist.Keyring // nil = gossip is not encrypted

	mu   sync.Mutex
	kept ringDocument
}

// keySet is a keyring as masters send it to each other.
type keySet struct {
	// Revision counts the changes by rotation. Of two keyrings the one with the higher wins.
	Revision uint64   `json:"revision"`
	Keys     [][]byte `json:"keys"` // the first encrypts
	// Requests are those that installed keys, by the keys' fingerprints: one that is repeated gets the same key.
	Requests map[string]KeyRequest `json:"requests,omitempty"`
}

// KeyRequest identifies a request that installs a gossip key. The zero value identifies none.
type KeyRequest struct {
	ID   string `json:"id"`   // of its sender and idempotency key
	Hash string `json:"hash"` // of its content
}

// ringDocument is a keyring on disk.
type ringDocument struct {
	keySet
	// Configured are the fingerprints of the keys in the configuration as last read. While
	// it stays the same, the kept keys are newer.
	Configured []string `json:"configured"`
	// Sum is of Revision and Keys: a flipped bit in a key leaves a key.
	Sum string `json:"sum"`
}

// KeyFingerprint names a gossip key without revealing it.
func KeyFingerprint(key []byte) string {
	sum := sha256.Sum256(append([]byte("ffrtmp gossip key\x00"), key...))
	return hex.EncodeToString(sum[:8])
}

func fingerprints(keys [][]byte) []string {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = KeyFingerprint(key)
	}
	return names
}

func (s keySet) sum() string {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n", s.Revision)
	for _, key := range s.Keys {
		fmt.Fprintf(h, "%x\n", key)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (s keySet) equal(other keySet) bool {
	return s.Revision == other.Revision && slices.EqualFunc(s.Keys, other.Keys, bytes.Equal)
}

func (s keySet) clone() keySet {
	return keySet{Revision: s.Revision, Keys: slices.Clone(s.Keys), Requests: maps.Clone(s.Requests)}
}

// installedBy returns the key that a request has installed, nil for none.
func (s keySet) installedBy(r KeyRequest) ([]byte, error) {
	for _, key := range s.Keys {
		switch earlier := s.Requests[KeyFingerprint(key)]; {
		case r.ID == "" || earlier.ID != r.ID:
		case earlier.Hash != r.Hash:
			return nil, impossible("the idempotency key was used for another request")
		default:
			return key, nil
		}
	}
	return nil, nil
}

// index returns the position of the key with a fingerprint, or -1.
func (s keySet) index(name string) int {
	return slices.IndexFunc(s.Keys, func(key []byte) bool { return KeyFingerprint(key) == name })
}

// openKeyring reads the kept keys, or begins with those of the configuration where nothing
// is kept or the configuration has changed since. A damaged file is set aside: the leader
// sends this master the keys again. Without keys gossip is not encrypted.
func openKeyring(path string, configured [][]byte, log hclog.Logger) (*keyring, error) {
	k := &keyring{path: path}
	var err error
	if k.kept, err = readKeyring(path, log); err != nil {
		return nil, fmt.Errorf("gossip keys: %w", err)
	}
	if names := fingerprints(configured); len(k.kept.Keys) == 0 ||
		len(names) > 0 && !slices.Equal(names, k.kept.Configured) {
		k.kept.Keys, k.kept.Configured = configured, names
	}
	if len(k.kept.Keys) == 0 {
		return k, nil
	}
	if k.ring, err = memberlist.NewKeyring(k.kept.Keys, k.kept.Keys[0]); err != nil {
		return nil, fmt.Errorf("gossip keys: %w", err)
	}
	k.kept.Keys = slices.Clone(k.ring.GetKeys()) // without duplicates
	if err := k.save(k.kept.keySet); err != nil {
		return nil, fmt.Errorf("gossip keys: %w", err)
	}
	return k, nil
}

// readKeyring reads the file. A missing one holds nothing.
func readKeyring(path string, log hclog.Logger) (doc ringDocument, err error) {
	if path == "" {
		return doc, nil
	}
	err = atomicfile.ReadJSON(path, &doc)
	if err == nil && doc.Sum != doc.sum() {
		err = errors.New("the checksum is wrong")
	}
	var failed *fs.PathError
	switch {
	case err == nil:
		return doc, nil
	case errors.Is(err, fs.ErrNotExist):
		return ringDocument{}, nil
	case errors.As(err, &failed):
		return ringDocument{}, err
	}
	aside := path + ".damaged-" + strconv.FormatInt(time.Now().Unix(), 10)
	log.Error("gossip keys are damaged; beginning with those of the configuration", "file", path,
		"set_aside", aside, "error", err)
	return ringDocument{}, os.Rename(path, aside)
}

// encrypted reports whether gossip is.
func (k *keyring) encrypted() bool { return k.ring != nil }

// current returns the keys in use.
func (k *keyring) current() keySet {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.kept.clone()
}

// replace puts keys in use, once they are on disk. It reports whether they are new; those of
// an older revision change nothing.
func (k *keyring) replace(next keySet) (changed bool, err error) {
	if len(next.Keys) == 0 || len(next.Keys) > maxGossipKeys {
		return false, fmt.Errorf("gossip keys: between 1 and %d are allowed", maxGossipKeys)
	}
	for _, key := range next.Keys {
		if err := memberlist.ValidateKey(key); err != nil {
			return false, fmt.Errorf("gossip keys: %w", err)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case !k.encrypted():
		return false, ErrNotEncrypted
	case next.Revision < k.kept.Revision || next.equal(k.kept.keySet):
		return false, nil
	}
	if err := k.save(next); err != nil {
		return false, fmt.Errorf("gossip keys: %w", err)
	}
	k.kept.keySet = next
	return true, k.use(next.Keys)
}

// save writes a keyring to the disk. The caller holds mu, or is the only one.
func (k *keyring) save(next keySet) error {
	if k.path == "" {
		return nil
	}
	doc := ringDocument{keySet: next, Configured: k.kept.Configured, Sum: next.sum()}
	return atomicfile.WriteJSON(k.path, doc)
}

// use changes memberlist's keys, which packets are decrypted with meanwhile. Removing a key
// moves those behind it in an array that others read; the last one has none behind it, so
// each key to remove is made the last first.
func (k *keyring) use(keys [][]byte) error {
	for _, key := range keys {
		if err := k.ring.AddKey(key); err != nil {
			return err
		}
	}
	staying := keys
	if len(k.ring.GetKeys()) == len(keys) {
		staying = keys[:1]
	}
	for _, key := range slices.Backward(staying) {
		if err := k.ring.UseKey(key); err != nil {
			return err
		}
	}
	for present := k.ring.GetKeys(); len(present) > len(keys); present = k.ring.GetKeys() {
		if err := k.ring.RemoveKey(present[len(present)-1]); err != nil {
			return err
		}
	}
	return nil
}
