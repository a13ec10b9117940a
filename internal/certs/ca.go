package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// CA is a certificate authority that signs certificates. It is safe for concurrent use.
type CA struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// NewCA creates an authority with a new ECDSA P-256 key. It can sign end certificates but no further authorities.
// A lifetime of 0 means DefaultCALifetime.
func NewCA(commonName string, lifetime time.Duration) (*CA, error) {
	if commonName == "" {
		return nil, errors.New("create certificate authority: common name is empty")
	}
	if lifetime == 0 {
		lifetime = DefaultCALifetime
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("create key: %w", err)
	}
	template, err := newTemplate(pkix.Name{CommonName: commonName}, key.Public(), lifetime)
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.MaxPathLenZero = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	template.AuthorityKeyId = template.SubjectKeyId
	cert, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &CA{cert: cert, key: key}, nil
}

// LoadCA reads an authority from PEM files. It accepts every type of key that crypto/tls does.
func LoadCA(certFile, keyFile string) (*CA, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("load certificate authority: %w", err)
	}
	cert := pair.Leaf
	if !cert.BasicConstraintsValid || !cert.IsCA {
		return nil, fmt.Errorf("load certificate authority: %s is not the certificate of an authority", certFile)
	}
	if cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, fmt.Errorf("load certificate authority: the key usage of %s does not allow signing", certFile)
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("load certificate authority: the key in %s cannot sign", keyFile)
	}
	return &CA{cert: cert, key: key}, nil
}

// CertPEM is the authority's certificate, which is public.
func (ca *CA) CertPEM() []byte { return certPEM(ca.cert) }

// KeyPEM is the authority's private key.
func (ca *CA) KeyPEM() ([]byte, error) { return keyPEM(ca.key) }

// Issue creates a key and a certificate for it, signed by the authority. The certificate expires with the authority
// at the latest.
func (ca *CA) Issue(req Request) (certPEM, keyPEM []byte, err error) {
	return issue(req, ca)
}

func certPEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

func keyPEM(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
