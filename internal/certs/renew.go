package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// ErrForeign is returned when a certificate was issued by another authority.
var ErrForeign = errors.New("issued by another authority: only that one can renew it")

// Pair is a certificate with its key in files.
type Pair struct {
	CertFile, KeyFile string
	Leaf              *x509.Certificate
	chain             []byte // PEM of the certificates after it in CertFile
}

// ReadPair reads a certificate. Its key, which may be missing, is replaced together with it.
func ReadPair(certFile, keyFile string) (*Pair, error) {
	data, err := os.ReadFile(certFile)
	if err != nil {
		return nil, err
	}
	list, err := parseAll(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", certFile, err)
	}
	p := &Pair{CertFile: certFile, KeyFile: keyFile, Leaf: list[0]}
	for _, cert := range list[1:] {
		p.chain = append(p.chain, certPEM(cert)...)
	}
	return p, nil
}

// Due reports whether a certificate should be renewed because it expires within a duration. The default is a third of
// its lifetime.
func (p *Pair) Due(now time.Time, within time.Duration) bool {
	if within == 0 {
		within = p.Leaf.NotAfter.Sub(p.Leaf.NotBefore) / renewFraction
	}
	return p.Leaf.NotAfter.Sub(now) < within
}

// Torn reports whether the key file does not belong to the certificate, as after a crash between two renames. A missing
// key file is fine: the key is stored elsewhere.
func (p *Pair) Torn() (bool, error) {
	key, err := os.ReadFile(p.KeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = tls.X509KeyPair(certPEM(p.Leaf), key)
	return err != nil, nil
}

// Lifetime is the certificate's whole lifetime.
func (p *Pair) Lifetime() time.Duration {
	return max(p.Leaf.NotAfter.Sub(p.Leaf.NotBefore)-clockSkew, time.Second)
}

// NotAfter is when the authority expires.
func (ca *CA) NotAfter() time.Time { return ca.cert.NotAfter }

// Issued reports whether the authority has signed a certificate.
func (ca *CA) Issued(cert *x509.Certificate) bool { return cert.CheckSignatureFrom(ca.cert) == nil }

// Renew creates a new key and a certificate for it with the content of the pair's, valid for lifetime from now, and
// returns both without writing them. It copies all extensions: names, role, usages. The certificate of another
// authority is renewed only with adopt.
func (ca *CA) Renew(p *Pair, lifetime time.Duration, adopt bool) (certPEM, keyPEM []byte, err error) {
	if !adopt && !ca.Issued(p.Leaf) {
		return nil, nil, ErrForeign
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make key: %w", err)
	}
	template, err := newTemplate(p.Leaf.Subject, signer.Public(), lifetime)
	if err != nil {
		return nil, nil, err
	}
	template.RawSubject, template.ExtraExtensions = p.Leaf.RawSubject, carriedOver(p.Leaf.Extensions)
	if p.Leaf.KeyUsage == 0 {
		template.KeyUsage = x509.KeyUsageDigitalSignature
	}
	certPEM, keyPEM, err = certify(template, signer, ca)
	if err != nil {
		return nil, nil, err
	}
	return append(certPEM, p.chain...), keyPEM, nil
}

// Extensions that depend on the key or its issuer, and are not copied.
var (
	subjectKeyID   = asn1.ObjectIdentifier{2, 5, 29, 14}
	authorityKeyID = asn1.ObjectIdentifier{2, 5, 29, 35}
)

func carriedOver(extensions []pkix.Extension) []pkix.Extension {
	var list []pkix.Extension
	for _, e := range extensions {
		if !e.Id.Equal(subjectKeyID) && !e.Id.Equal(authorityKeyID) {
			list = append(list, e)
		}
	}
	return list
}
