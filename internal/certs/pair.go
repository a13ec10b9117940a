package certs

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
)

// WritePair writes a certificate (mode 0644) and its key (mode 0600), and creates missing directories (mode 0700).
// Both files are on disk before either is replaced, so they differ only between two renames. A Store that reads them
// at that moment keeps the old pair until both are new.
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
