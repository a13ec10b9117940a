// Package gossipkey reads and writes the keys that encrypt the masters' gossip: base64, one a line, the first encrypts.
package gossipkey

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// sizes are the lengths of the keys of AES-128, AES-192 and AES-256, in bytes.
var sizes = []int{16, 24, 32}

// New returns a random key of 32 bytes.
func New() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return key
}

// Parse reads the contents of a key file. Empty lines are skipped; an error gives the number of the key.
func Parse(data []byte) ([][]byte, error) {
	var keys [][]byte
	for i, line := range strings.Fields(string(data)) {
		key, err := base64.StdEncoding.DecodeString(line)
		if err != nil || !slices.Contains(sizes, len(key)) {
			return nil, fmt.Errorf("key %d is not base64 of 16, 24 or 32 bytes", i+1)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// Format returns the contents of a key file.
func Format(keys ...[]byte) []byte {
	var b bytes.Buffer
	for _, key := range keys {
		b.WriteString(base64.StdEncoding.EncodeToString(key))
		b.WriteByte('\n')
	}
	return b.Bytes()
}
