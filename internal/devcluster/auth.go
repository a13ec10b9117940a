package devcluster

import (
	"crypto/tls"
	"path/filepath"

	"github.com/ffrtmp/ffrtmp/internal/certs"
)

// Dir is the directory of all files of the cluster.
func (c *Cluster) Dir() string { return c.dir }

// MediaRoot is the directory that jobs may read and write, shared by all agents.
func (c *Cluster) MediaRoot() string { return filepath.Join(c.dir, "media") }

// URLs are the API URLs of all masters.
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

// CAFile is the certificate of the authority that verifies all masters and agents.
func (c *Cluster) CAFile() string { return c.secrets.caFile() }

// ClientTLS configures a client of the cluster's API.
func (c *Cluster) ClientTLS() *tls.Config { return c.tls.Client() }

// KeyDir is the directory of all keys and certificates: ca.crt, ca.key, and NAME.crt and NAME.key of each process.
func (c *Cluster) KeyDir() string { return c.secrets.dir }

// Issue creates a certificate for a role and a name, signed by the cluster's CA.
func (c *Cluster) Issue(role certs.Role, name string) (certs.Files, error) {
	return c.secrets.issue(role, name)
}
