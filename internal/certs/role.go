package certs

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"
)

// Role is what a certificate's holder is in a cluster.
type Role string

// The roles of certificates. A certificate without a role can serve the API or identify a user, but is refused on the
// peer port.
const (
	RoleMaster Role = "master"
	RoleAgent  Role = "agent"
)

const roleScheme = "ffrtmp"

// RoleURI is the URI SAN of a role: ffrtmp://<cluster>/<role>/<name>.
func RoleURI(cluster string, role Role, name string) string {
	return roleURL(cluster, role, name).String()
}

func roleURL(cluster string, role Role, name string) *url.URL {
	return &url.URL{Scheme: roleScheme, Host: cluster, Path: "/" + string(role) + "/" + name}
}

// identity is a parsed role URI.
type identity struct {
	cluster string
	role    Role
	name    string
}

// parseRole parses a URI SAN and reports whether it is a role URI.
func parseRole(u *url.URL) (identity, bool) {
	role, name, found := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if u.Scheme != roleScheme || u.Host == "" || !found || name == "" || strings.Contains(name, "/") {
		return identity{}, false
	}
	return identity{cluster: u.Host, role: Role(role), name: name}, true
}

// checkRole returns an error unless a certificate carries a role in a cluster.
func checkRole(leaf *x509.Certificate, cluster string, role Role) error {
	for _, u := range leaf.URIs {
		if id, ok := parseRole(u); ok && id.cluster == cluster && id.role == role {
			return nil
		}
	}
	want := RoleURI(cluster, role, "<name>")
	if len(leaf.URIs) == 0 {
		return fmt.Errorf("certificate %q has no role: want the URI SAN %s", leaf.Subject, want)
	}
	return fmt.Errorf("certificate %q has the role %s: want %s", leaf.Subject, leaf.URIs, want)
}
