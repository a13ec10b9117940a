package certs

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
)

// WritePair writes a certificate (mode 0644) and its key (mode 0600), and makes their directories (mode 0700) where
// they are missing. Both are on disk before either is replaced, so the moment in which one is new and the other old is
// that between two renames. A running Store that sees it keeps the old pair until both are there.
func WritePair(certFile, keyFile string, certPEM, keyPEM []byte) error {
	key, err := stage(keyFile, keyPEM, 0o600)
	if err != nil {
		return err
	}
	defer key.Discard()
	cert, err := stage(certFile, certPEM, 0o644)
	if err != nil {
		return err
	}
	defer cert.Discard()
	if err := key.Commit(); err != nil {
		return err
	}
	return cert.Commit()
}

func stage(name string, data []byte, mode os.FileMode) (*atomicfile.Staged, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	staged, err := atomicfile.Stage(name, data, mode)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return staged, nil
}
