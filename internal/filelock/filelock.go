// Package filelock keeps a second process out of a directory. The kernel releases the lock when its holder dies.
package filelock

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// ErrHeld is returned while another process, or another open file of this one, holds the lock.
var ErrHeld = errors.New("lock is held by another process")

// Open creates the file at path where it is missing and locks it without waiting. Closing the file releases the lock.
func Open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	return locked(f, err)
}

// OpenDir locks a directory that exists.
func OpenDir(path string) (*os.File, error) {
	f, err := os.Open(path)
	return locked(f, err)
}

func locked(f *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrHeld
	}
	return nil, errors.Join(err, f.Close())
}
