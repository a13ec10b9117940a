package certs

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"time"
)

// Info is the content of a certificate as ffrtmp certs inspect shows it.
type Info struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Serial    string    `json:"serial"` // hexadecimal
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	DNSNames  []string  `json:"dns_names,omitempty"`
	IPs       []net.IP  `json:"ips,omitempty"`
	URIs      []string  `json:"uris,omitempty"`
	Authority bool      `json:"authority"`
	Cluster   string    `json:"cluster,omitempty"` // Cluster, Role and Name come from the role URI
	Role      Role      `json:"role,omitempty"`
	Name      string    `json:"name,omitempty"`
	SHA256    string    `json:"sha256"` // fingerprint of the whole certificate, hexadecimal
}

// Inspect describes every certificate in PEM data, in order. It skips other blocks, such as a key; data without a
// certificate is an error.
func Inspect(data []byte) ([]Info, error) {
	list, err := parseAll(data)
	if err != nil {
		return nil, err
	}
	var infos []Info
	for _, cert := range list {
		infos = append(infos, describe(cert))
	}
	return infos, nil
}

// parseAll reads every certificate in PEM data and skips other blocks. At least one certificate is required.
func parseAll(data []byte) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for {
		var block *pem.Block
		block, data = pem.Decode(data)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(list)+1, err)
		}
		list = append(list, cert)
	}
	if len(list) == 0 {
		return nil, errors.New("no certificate found in the PEM data")
	}
	return list, nil
}

func describe(cert *x509.Certificate) Info {
	sum := sha256.Sum256(cert.Raw)
	info := Info{
		Subject:   cert.Subject.String(),
		Issuer:    cert.Issuer.String(),
		Serial:    cert.SerialNumber.Text(16),
		NotBefore: cert.NotBefore,
		NotAfter:  cert.NotAfter,
		DNSNames:  cert.DNSNames,
		IPs:       cert.IPAddresses,
		Authority: cert.IsCA,
		SHA256:    hex.EncodeToString(sum[:]),
	}
	for _, u := range cert.URIs {
		info.URIs = append(info.URIs, u.String())
		if id, ok := parseRole(u); ok && info.Role == "" {
			info.Cluster, info.Role, info.Name = id.cluster, id.role, id.name
		}
	}
	return info
}
