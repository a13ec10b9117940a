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
// restart: a handshake looks at most once a second whether one of them was replaced. New files that cannot be used
// (half written, a key of another certificate) are logged and leave the old ones in force.
//
// A Store and all configurations made from it are safe for concurrent use.
type Store struct {
	files  Files
	logger hclog.Logger

	mu      sync.Mutex
	creds   *credentials
	stamp   stamp     // of the files last read, good or bad
	checked time.Time // when the stamp was last compared
}

// credentials is one consistent reading of the files; it never changes.
type credentials struct {
	cert *tls.Certificate // nil = none
	pool *x509.CertPool   // nil = no CA file
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
	if stamp.equal(s.stamp) {
		return s.creds
	}
	s.stamp = stamp
	creds, err := s.files.load()
	if err != nil {
		s.logger.Error("changed certificate files cannot be used, keeping the old ones", "error", err)
		return s.creds
	}
	s.creds = creds
	s.logger.Info("certificate files reloaded", "cert", s.files.Cert, "ca", s.files.CA)
	return creds
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
		creds.pool = x509.NewCertPool()
		if !creds.pool.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("load CA: no certificate in %s", f.CA)
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
