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

// checkInterval is the minimum time between two checks of the files.
const checkInterval = time.Second

// Files names the PEM files of an identity. Cert and Key are both set or both "", which means no certificate. CA may
// be "".
type Files struct{ Cert, Key, CA string }

// Store holds the identity and the trusted authorities of a process, and reloads their files without a restart. At most
// once a second a handshake checks whether one of them was replaced, by a rename or behind a symbolic link. When new
// files cannot be loaded (partly written, or a key of another certificate), the old ones stay in use and every check
// reads the files again. The error is logged at the second failure only: a certificate and its key are two files, which
// cannot be replaced at once.
//
// A Store and all configurations from it are safe for concurrent use.
type Store struct {
	files  Files
	logger hclog.Logger

	mu      sync.Mutex
	creds   *credentials
	stamp   stamp     // of the files last read, good or bad
	checked time.Time // when the stamp was last compared
	bad     error     // why the files cannot be loaded; nil when they are in use
	logged  bool      // bad was logged or returned
}

// credentials is the content of the files, immutable.
type credentials struct {
	cert        *tls.Certificate    // nil without a certificate
	pool        *x509.CertPool      // nil without a CA file
	authorities []*x509.Certificate // those in pool
}

// Open reads the files, and fails if one cannot be loaded. A nil logger is silent.
func Open(files Files, logger hclog.Logger) (*Store, error) {
	if logger == nil {
		logger = hclog.NewNullLogger()
	}
	if (files.Cert == "") != (files.Key == "") {
		return nil, errors.New("certificate and key must be set together: one of the two files is not set")
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

// Leaf is the current certificate, or nil. The caller must not change it.
func (s *Store) Leaf() *x509.Certificate {
	if cert := s.current().cert; cert != nil {
		return cert.Leaf
	}
	return nil
}

// Reload reads the files now, changed or not. On an error the old ones stay in use.
func (s *Store) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checked, s.stamp = time.Now(), s.files.stamp()
	creds, err := s.files.load()
	if err != nil {
		s.bad, s.logged = err, true // the caller logs it
		return err
	}
	s.use(creds)
	return nil
}

// Err returns why the files cannot be loaded as they are now, or nil.
func (s *Store) Err() error {
	s.current()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.logged {
		return nil
	}
	return s.bad
}

// current returns the credentials from the newest files that could be loaded.
func (s *Store) current() *credentials {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.checked) < checkInterval {
		return s.creds
	}
	s.checked = time.Now()
	// The stamp is taken before the files are read, so the next check notices a change in between.
	stamp := s.files.stamp()
	if s.bad == nil && stamp.equal(s.stamp) {
		return s.creds
	}
	s.stamp = stamp
	creds, err := s.files.load()
	if err != nil {
		if known := s.logged && err.Error() == s.bad.Error(); s.bad != nil && !known {
			s.logger.Error("cannot load changed certificate files, keeping the old ones", "error", err)
			s.logged = true
		}
		s.bad = err
		return s.creds
	}
	s.use(creds)
	return creds
}

// use makes credentials the current ones. The caller holds s.mu.
func (s *Store) use(creds *credentials) {
	s.creds, s.bad, s.logged = creds, nil, false
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

// stamp distinguishes versions of the files without reading them; an entry is nil for a missing file.
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
