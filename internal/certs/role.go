package certs

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"
)

// Role is what a certificate lets its holder be inside a cluster.
type Role string

// The roles that a certificate can carry. The empty Role is a certificate without a role: good for serving the API
// or for a user, worth nothing on the peer port.
const (
	RoleMaster Role = "master"
	RoleAgent  Role = "agent"
)

const roleScheme = "ffrtmp"

// RoleURI is the URI SAN that gives a certificate its role: ffrtmp://<cluster>/<role>/<name>.
func RoleURI(cluster string, role Role, name string) string {
	return roleURL(cluster, role, name).String()
}

func roleURL(cluster string, role Role, name string) *url.URL {
	return &url.URL{Scheme: roleScheme, Host: cluster, Path: "/" + string(role) + "/" + name}
}

// identity is a role URI taken apart.
type identity struct {
	cluster string
	role    Role
	name    string
}

// parseRole reports the identity in a URI SAN, and whether it is a role URI at all.
func parseRole(u *url.URL) (identity, bool) {
	role, name, found := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if u.Scheme != roleScheme || u.Host == "" || !found || name == "" || strings.Contains(name, "/") {
		return identity{}, false
	}
	return identity{cluster: u.Host, role: Role(role), name: name}, true
}

// checkRole reports why a certificate does not carry a role of a cluster, or nil when it does.
func checkRole(leaf *x509.Certificate, cluster string, role Role) error {
	for _, u := range leaf.URIs {
		if id, ok := parseRole(u); ok && id.cluster == cluster && id.role == role {
			return nil
		}
	}
	want := RoleURI(cluster, role, "<name>")
	if len(leaf.URIs) == 0 {
		return fmt.Errorf("certificate %q carries no role, want the URI SAN %s", leaf.Subject, want)
	}
	return fmt.Errorf("certificate %q is for %s, want %s", leaf.Subject, leaf.URIs, want)
}
