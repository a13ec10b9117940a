package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
)

// httpProtos are the protocols of HTTP over TLS, best first.
var httpProtos = []string{"h2", "http/1.1"}

var errNoCertificate = errors.New("no server certificate")

// API configures the server of the API port: TLS 1.2 or later, HTTP/2 or 1.1. With requireClient a client must present
// a certificate from the CA; without a CA file every client is refused.
func (s *Store) API(requireClient bool) *tls.Config {
	base := func() *tls.Config {
		return &tls.Config{
			MinVersion: tls.VersionTLS12,
			NextProtos: httpProtos,
			// A resumed session would ignore that its authority has been removed.
			SessionTicketsDisabled: requireClient,
		}
	}
	cfg := base()
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		creds := s.current()
		if creds.cert == nil {
			return nil, errNoCertificate
		}
		cfg := base()
		cfg.Certificates = []tls.Certificate{*creds.cert}
		if requireClient {
			cfg.ClientAuth = tls.RequireAndVerifyClientCert
			cfg.ClientCAs = creds.pool
			if cfg.ClientCAs == nil {
				cfg.ClientCAs = x509.NewCertPool() // nil would mean every public authority
			}
		}
		return cfg, nil
	}
	return cfg
}

// Client configures a client: the server must have a certificate for its address from the CA (without a CA file: from
// a system authority). The client presents its own certificate, if any, and reloads it. It does not reload the CA;
// DialTLS does. NextProtos is left to http.Transport.
func (s *Store) Client() *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS12,
		RootCAs:              s.current().pool,
		GetClientCertificate: s.clientCertificate,
	}
}

// DialTLS connects as Client does, but with the current CA, and offers HTTP/2. Use it as http.Transport.DialTLSContext
// together with ForceAttemptHTTP2. (A tls.Config alone cannot reload a CA: crypto/tls does not pass the dialed IP
// address to its callbacks, so they could not verify it.)
func (s *Store) DialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	cfg := s.Client()
	cfg.NextProtos = httpProtos
	d := tls.Dialer{NetDialer: &net.Dialer{}, Config: cfg}
	return d.DialContext(ctx, network, addr)
}

// Peer configures both sides of the peer port: TLS 1.3 only. Each side requires a certificate from the CA with the role
// of a master of this cluster. Host names are not verified, because masters change their addresses. There are no
// session tickets, so every connection is fully verified. The caller sets NextProtos.
func (s *Store) Peer(cluster string) (server, client *tls.Config) {
	server = &tls.Config{
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
		ClientAuth:             tls.RequireAnyClientCert,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if cert := s.current().cert; cert != nil {
				return cert, nil
			}
			return nil, errNoCertificate
		},
		VerifyConnection: func(cs tls.ConnectionState) error {
			return s.verifyMaster(cs, cluster, x509.ExtKeyUsageClientAuth)
		},
	}
	client = &tls.Config{
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
		InsecureSkipVerify:     true, // VerifyConnection verifies the role instead of the host name
		GetClientCertificate:   s.clientCertificate,
		VerifyConnection: func(cs tls.ConnectionState) error {
			return s.verifyMaster(cs, cluster, x509.ExtKeyUsageServerAuth)
		},
	}
	return server, client
}

// clientCertificate returns the current certificate, or an empty one for none.
func (s *Store) clientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	if cert := s.current().cert; cert != nil {
		return cert, nil
	}
	return &tls.Certificate{}, nil
}

// verifyMaster verifies a peer's chain against the current CA, then its role.
func (s *Store) verifyMaster(cs tls.ConnectionState, cluster string, usage x509.ExtKeyUsage) error {
	pool := s.current().pool
	if pool == nil {
		return errors.New("peer refused: no CA is configured")
	}
	if len(cs.PeerCertificates) == 0 {
		return errors.New("peer refused: no certificate presented")
	}
	leaf := cs.PeerCertificates[0]
	intermediates := x509.NewCertPool()
	for _, cert := range cs.PeerCertificates[1:] {
		intermediates.AddCert(cert)
	}
	opts := x509.VerifyOptions{Roots: pool, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{usage}}
	if _, err := leaf.Verify(opts); err != nil {
		return fmt.Errorf("peer refused: %w", err)
	}
	if err := checkRole(leaf, cluster, RoleMaster); err != nil {
		return fmt.Errorf("peer refused: %w", err)
	}
	return nil
}
