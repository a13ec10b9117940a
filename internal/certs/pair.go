package certs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// WritePair writes a certificate (mode 0644) and its key (mode 0600), and makes their directories (mode 0700) where
// they are missing. Both are on disk before either is replaced, so the moment in which one is new and the other old is
// that between two renames. A running Store that sees it keeps the old pair until both are there.
func WritePair(certFile, keyFile string, certPEM, keyPEM []byte) error {
	key, err := stage(keyFile, keyPEM, 0o600)
	if err != nil {
		return err
	}
	defer key.discard()
	cert, err := stage(certFile, certPEM, 0o644)
	if err != nil {
		return err
	}
	defer cert.discard()
	for _, s := range []staged{key, cert} {
		if err := os.Rename(s.temporary, s.name); err != nil {
			return err
		}
	}
	return errors.Join(syncDir(filepath.Dir(keyFile)), syncDir(filepath.Dir(certFile)))
}

// staged is a new version of a file, whole and on disk beside it.
type staged struct{ temporary, name string }

func stage(name string, data []byte, mode os.FileMode) (_ staged, err error) {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return staged{}, fmt.Errorf("write %s: %w", name, err)
	}
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(name)+"-*") // mode 0600 from the first byte on
	if err != nil {
		return staged{}, fmt.Errorf("write %s: %w", name, err)
	}
	s := staged{tmp.Name(), name}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close()); err != nil {
		s.discard()
		return staged{}, fmt.Errorf("write %s: %w", name, err)
	}
	return s, nil
}

// discard removes the new version, unless it has replaced the old.
func (s staged) discard() { _ = os.Remove(s.temporary) }

// syncDir makes renames in a directory durable.
func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
