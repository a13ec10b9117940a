package devcluster

import (
	"crypto/tls"
	"path/filepath"

	"github.com/ffrtmp/ffrtmp/internal/certs"
)

// Dir holds everything of the cluster.
func (c *Cluster) Dir() string { return c.dir }

// MediaRoot is the tree that jobs may read and write, the same for all agents.
func (c *Cluster) MediaRoot() string { return filepath.Join(c.dir, "media") }

// URLs are the addresses of all masters' APIs.
func (c *Cluster) URLs() []string {
	var urls []string
	for _, m := range c.Masters() {
		urls = append(urls, m.URL())
	}
	return urls
}

// APIKey is the admin key of the cluster.
func (c *Cluster) APIKey() string { return c.secrets.apiKey }

// APIKeyFile is the file that holds the admin key.
func (c *Cluster) APIKeyFile() string { return c.secrets.apiKeyFile() }

// CAFile is the certificate that all masters and agents are verified against.
func (c *Cluster) CAFile() string { return c.secrets.caFile() }

// ClientTLS is for a client of the cluster's API.
func (c *Cluster) ClientTLS() *tls.Config { return c.tls.Client() }

// KeyDir holds all keys and certificates: NAME.crt and NAME.key of the process NAME, ca.crt and ca.key.
func (c *Cluster) KeyDir() string { return c.secrets.dir }

// Issue makes a certificate of the cluster's CA, for the given role and name.
func (c *Cluster) Issue(role certs.Role, name string) (certs.Files, error) {
	return c.secrets.issue(role, name)
}
