package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Default lifetimes.
const (
	DefaultLifetime   = 365 * 24 * time.Hour
	DefaultCALifetime = 10 * 365 * 24 * time.Hour
)

// clockSkew is how far a peer's clock may lag behind ours and still accept a new certificate.
const clockSkew = 5 * time.Minute

// Request describes a certificate to issue.
type Request struct {
	CommonName string
	Hosts      []string // DNS names; an IP address is moved to IPs
	IPs        []net.IP
	Cluster    string // the role URI consists of Cluster, Role and Name
	Role       Role   // "" = no role URI
	Name       string
	Lifetime   time.Duration // 0 = DefaultLifetime
}

// SelfSigned creates a key and a self-signed certificate. It is no authority: trusting it trusts no other certificate.
func SelfSigned(req Request) (certPEM, keyPEM []byte, err error) {
	return issue(req, nil)
}

// issue creates a certificate signed by ca, or by its own key when ca is nil.
func issue(req Request, ca *CA) (cert, key []byte, err error) {
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("create key: %w", err)
	}
	template, err := req.template(signer.Public())
	if err != nil {
		return nil, nil, err
	}
	return certify(template, signer, ca)
}

// certify signs a template by ca, or by its own key when ca is nil, and returns certificate and key as PEM.
func certify(template *x509.Certificate, signer crypto.Signer, ca *CA) (cert, key []byte, err error) {
	parent, parentKey := template, signer
	if ca != nil {
		parent, parentKey = ca.cert, ca.key
		if parent.NotAfter.Before(template.NotAfter) {
			template.NotAfter = parent.NotAfter
		}
	}
	// crypto/x509 omits this when subject and issuer are equal; strict verifiers (Python 3.13) require it.
	template.AuthorityKeyId = parent.SubjectKeyId
	issued, err := sign(template, parent, signer.Public(), parentKey)
	if err != nil {
		return nil, nil, err
	}
	if key, err = keyPEM(signer); err != nil {
		return nil, nil, err
	}
	return certPEM(issued), key, nil
}

// template is the unsigned certificate of a request.
func (r Request) template(key crypto.PublicKey) (*x509.Certificate, error) {
	if r.CommonName == "" {
		return nil, errors.New("common name is empty")
	}
	lifetime := r.Lifetime
	if lifetime == 0 {
		lifetime = DefaultLifetime
	}
	template, err := newTemplate(pkix.Name{CommonName: r.CommonName}, key, lifetime)
	if err != nil {
		return nil, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	ips := slices.Clone(r.IPs)
	for _, host := range r.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			ips = append(ips, ip)
		} else if !slices.Contains(template.DNSNames, host) {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	for _, ip := range ips {
		if !slices.ContainsFunc(template.IPAddresses, ip.Equal) {
			template.IPAddresses = append(template.IPAddresses, ip)
		}
	}
	if r.Role != "" {
		uri, err := r.roleURI()
		if err != nil {
			return nil, err
		}
		template.URIs = []*url.URL{uri}
	}
	return template, nil
}

// roleURI is the role URI of a request. It must parse back to the same cluster, role and name.
func (r Request) roleURI() (*url.URL, error) {
	if r.Role != RoleMaster && r.Role != RoleAgent {
		return nil, fmt.Errorf("invalid role %q: must be %s or %s", r.Role, RoleMaster, RoleAgent)
	}
	uri := roleURL(r.Cluster, r.Role, r.Name)
	parsed, err := url.Parse(uri.String())
	if err != nil {
		return nil, fmt.Errorf("cluster %q, name %q: %w", r.Cluster, r.Name, err)
	}
	id, ok := parseRole(parsed)
	if !ok || id != (identity{r.Cluster, r.Role, r.Name}) || strings.ContainsAny(r.Cluster, ":@") {
		return nil, fmt.Errorf("cluster %q and name %q do not form a role URI", r.Cluster, r.Name)
	}
	return uri, nil
}

func newTemplate(subject pkix.Name, key crypto.PublicKey, lifetime time.Duration) (*x509.Certificate, error) {
	if lifetime < 0 {
		return nil, fmt.Errorf("invalid lifetime %s: must not be negative", lifetime)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("generate serial number: %w", err)
	}
	id, err := keyID(key)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber:          serial.Add(serial, big.NewInt(1)), // RFC 5280 requires a positive number
		Subject:               subject,
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(lifetime),
		SubjectKeyId:          id,
		BasicConstraintsValid: true,
	}, nil
}

// keyID is the subject key identifier of RFC 7093 section 2, method 4: a hash of the whole SubjectPublicKeyInfo.
func keyID(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	sum := sha256.Sum256(der)
	return sum[:20], nil
}

// sign signs a template and returns the parsed certificate.
func sign(template, parent *x509.Certificate, key crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, signer)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse signed certificate: %w", err)
	}
	return cert, nil
}
