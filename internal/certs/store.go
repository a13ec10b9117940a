package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// checkInterval bounds how often the files are looked at, however many handshakes there are.
const checkInterval = time.Second

// Files names the PEM files of an identity. Cert and Key go together and may both be "": then there is no identity to
// present. CA may be "".
type Files struct{ Cert, Key, CA string }

// Store holds the identity and the trusted authorities of a process, and follows changes of their files without a
// restart: a handshake looks at most once a second whether one of them was replaced, by a rename or behind a symbolic
// link. New files that cannot be used (half written, a key of another certificate) leave the old ones in force. They are
// read again at every look, and logged when they are still bad at the second: a certificate and its key are two files,
// which cannot be replaced at once.
//
// A Store and all configurations made from it are safe for concurrent use.
type Store struct {
	files  Files
	logger hclog.Logger

	mu      sync.Mutex
	creds   *credentials
	stamp   stamp     // of the files last read, good or bad
	checked time.Time // when the stamp was last compared
	bad     error     // why the files cannot be used; nil when they are in force
	told    bool      // bad was logged
}

// credentials is one consistent reading of the files; it never changes.
type credentials struct {
	cert        *tls.Certificate    // nil = none
	pool        *x509.CertPool      // nil = no CA file
	authorities []*x509.Certificate // those in pool
}

// Open reads the files. Unlike a later change, a file that cannot be used now is an error. A nil logger is silent.
func Open(files Files, logger hclog.Logger) (*Store, error) {
	if logger == nil {
		logger = hclog.NewNullLogger()
	}
	if (files.Cert == "") != (files.Key == "") {
		return nil, errors.New("a certificate and its key go together: one of the two files is not set")
	}
	s := &Store{files: files, logger: logger, checked: time.Now()}
	s.stamp = files.stamp()
	creds, err := files.load()
	if err != nil {
		return nil, err
	}
	s.creds = creds
	return s, nil
}

// Leaf is the certificate in force, nil when there is none. The caller must not change it.
func (s *Store) Leaf() *x509.Certificate {
	if cert := s.current().cert; cert != nil {
		return cert.Leaf
	}
	return nil
}

// Reload reads the files now, changed or not. When they cannot be used it says why and leaves the old ones in force.
func (s *Store) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checked, s.stamp = time.Now(), s.files.stamp()
	creds, err := s.files.load()
	if err != nil {
		s.bad, s.told = err, true // by the caller
		return err
	}
	s.use(creds)
	return nil
}

// Err says why the files as they are now cannot be used, nil when they are in force.
func (s *Store) Err() error {
	s.current()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.told {
		return nil
	}
	return s.bad
}

// current is the newest usable reading of the files.
func (s *Store) current() *credentials {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.checked) < checkInterval {
		return s.creds
	}
	s.checked = time.Now()
	// The stamp is taken before the files are read: a change in between shows as another stamp next time.
	stamp := s.files.stamp()
	if s.bad == nil && stamp.equal(s.stamp) {
		return s.creds
	}
	s.stamp = stamp
	creds, err := s.files.load()
	if err != nil {
		if known := s.told && err.Error() == s.bad.Error(); s.bad != nil && !known {
			s.logger.Error("changed certificate files cannot be used, keeping the old ones", "error", err)
			s.told = true
		}
		s.bad = err
		return s.creds
	}
	s.use(creds)
	return creds
}

// use puts a reading of the files in force. The caller holds s.mu.
func (s *Store) use(creds *credentials) {
	s.creds, s.bad, s.told = creds, nil, false
	s.logger.Info("certificate files reloaded", "cert", s.files.Cert, "ca", s.files.CA)
}

func (f Files) load() (*credentials, error) {
	var creds credentials
	if f.Cert != "" {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return nil, fmt.Errorf("load certificate %s with key %s: %w", f.Cert, f.Key, err)
		}
		creds.cert = &pair
	}
	if f.CA != "" {
		data, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("load CA: %w", err)
		}
		if creds.authorities, err = parseAll(data); err != nil {
			return nil, fmt.Errorf("load CA %s: %w", f.CA, err)
		}
		creds.pool = x509.NewCertPool()
		for _, authority := range creds.authorities {
			creds.pool.AddCert(authority)
		}
	}
	return &creds, nil
}

// stamp tells versions of the files apart without reading them; a nil entry is a file that is not there.
type stamp [3]os.FileInfo

func (f Files) stamp() stamp {
	var s stamp
	for i, name := range []string{f.Cert, f.Key, f.CA} {
		if info, err := os.Stat(name); err == nil {
			s[i] = info
		}
	}
	return s
}

func (s stamp) equal(other stamp) bool {
	for i, a := range s {
		b := other[i]
		if a == nil || b == nil {
			if a != b {
				return false
			}
			continue
		}
		if !os.SameFile(a, b) || a.Size() != b.Size() || !a.ModTime().Equal(b.ModTime()) {
			return false
		}
	}
	return true
}
