package devcluster

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/gossipkey"
)

// clusterName is part of the certificates' roles.
const clusterName = "dev"

// secrets are the keys of a cluster. Processes read them from files.
type secrets struct {
	dir      string
	ca       *certs.CA
	lifetime time.Duration // of certificates; 0 is the default
	apiKey   string
}

// newSecrets creates the files with the names that ffrtmp certs uses.
func newSecrets(dir string, lifetime time.Duration) (*secrets, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	ca, err := certs.NewCA("ffrtmp development CA", 0)
	if err != nil {
		return nil, err
	}
	caKey, err := ca.KeyPEM()
	if err != nil {
		return nil, err
	}
	s := &secrets{dir: dir, ca: ca, lifetime: lifetime, apiKey: rand.Text()}
	if err := certs.WritePair(s.caFile(), filepath.Join(dir, "ca.key"), ca.CertPEM(), caKey); err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{
		s.apiKeyFile(): []byte(s.apiKey + "\n"),
		s.gossipFile(): gossipkey.Format(gossipkey.New()),
	} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *secrets) caFile() string     { return filepath.Join(s.dir, "ca.crt") }
func (s *secrets) apiKeyFile() string { return filepath.Join(s.dir, "api.key") }
func (s *secrets) gossipFile() string { return filepath.Join(s.dir, "gossip.key") }

// issue creates a certificate for a process on this machine.
func (s *secrets) issue(role certs.Role, name string) (certs.Files, error) {
	cert, key, err := s.ca.Issue(certs.Request{
		CommonName: name,
		Hosts:      []string{"localhost"},
		IPs:        []net.IP{net.IPv4(127, 0, 0, 1)},
		Cluster:    clusterName,
		Role:       role,
		Name:       name,
		Lifetime:   s.lifetime,
	})
	if err != nil {
		return certs.Files{}, fmt.Errorf("certificate of %s: %w", name, err)
	}
	files := certs.Files{
		Cert: filepath.Join(s.dir, name+".crt"),
		Key:  filepath.Join(s.dir, name+".key"),
		CA:   s.caFile(),
	}
	return files, certs.WritePair(files.Cert, files.Key, cert, key)
}
