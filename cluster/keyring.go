package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/hashicorp/memberlist"

	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
	"github.com/ffrtmp/ffrtmp/internal/gossipkey"
)

const keyringFile = "gossip.keys"

// openKeyring merges the configured keys with those on disk, and saves the result.
// The disk records which key a rotation has made the first; but a configured key
// that is not on disk means that the configuration is newer. Without keys gossip
// is not encrypted and the keyring is nil.
func openKeyring(path string, configured [][]byte) (*memberlist.Keyring, error) {
	keys := configured
	if path != "" {
		kept, err := readKeys(path)
		if err != nil {
			return nil, fmt.Errorf("gossip keys: %w", err)
		}
		known := func(key []byte) bool {
			return slices.ContainsFunc(kept, func(k []byte) bool { return bytes.Equal(k, key) })
		}
		if len(kept) > 0 && !slices.ContainsFunc(configured, func(k []byte) bool { return !known(k) }) {
			keys = kept
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	ring, err := memberlist.NewKeyring(keys, keys[0])
	if err != nil {
		return nil, fmt.Errorf("gossip keys: %w", err)
	}
	if path != "" {
		if err := atomicfile.Write(path, gossipkey.Format(ring.GetKeys()...), 0o600); err != nil {
			return nil, fmt.Errorf("gossip keys: %w", err)
		}
	}
	return ring, nil
}

// readKeys reads base64 keys, one a line. A missing file holds none.
func readKeys(path string) ([][]byte, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	keys, err := gossipkey.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}
