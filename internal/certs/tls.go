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

var errNoCertificate = errors.New("no certificate to serve with")

// API is the server side of the API port: TLS 1.2 or better, HTTP/2 or 1.1. With requireClient a client must present a
// certificate that the CA vouches for; without a CA file nobody can.
func (s *Store) API(requireClient bool) *tls.Config {
	base := func() *tls.Config {
		return &tls.Config{
			MinVersion: tls.VersionTLS12,
			NextProtos: httpProtos,
			// A resumed session would carry on under an authority that has been taken away since.
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

// Client is the client side: the server must be who its address says, vouched for by the CA (without a CA file: by the
// system's authorities). The own certificate is presented where there is one and follows its files; the CA is the one in
// force now, so a connection that should follow the CA file too is made by DialTLS. NextProtos is left to http.Transport.
func (s *Store) Client() *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS12,
		RootCAs:              s.current().pool,
		GetClientCertificate: s.clientCertificate,
	}
}

// DialTLS connects as Client does, under the CA in force at the time, and offers HTTP/2. It is made for
// http.Transport.DialTLSContext, which needs ForceAttemptHTTP2 then. (A tls.Config alone cannot follow a CA: crypto/tls does not tell its callbacks the IP address that
// was dialed, so they could not check it.)
func (s *Store) DialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	cfg := s.Client()
	cfg.NextProtos = httpProtos
	d := tls.Dialer{NetDialer: &net.Dialer{}, Config: cfg}
	return d.DialContext(ctx, network, addr)
}

// Peer is both sides of the peer port: TLS 1.3 only, and on the other side a certificate that the CA vouches for and
// that carries the role of a master of this cluster. Host names are not looked at: masters change their addresses.
// There are no session tickets, so every connection is verified in full. The caller sets NextProtos.
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
		InsecureSkipVerify:     true, // VerifyConnection does it, by role instead of host name
		GetClientCertificate:   s.clientCertificate,
		VerifyConnection: func(cs tls.ConnectionState) error {
			return s.verifyMaster(cs, cluster, x509.ExtKeyUsageServerAuth)
		},
	}
	return server, client
}

// clientCertificate presents the own certificate, or says that there is none by an empty one.
func (s *Store) clientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	if cert := s.current().cert; cert != nil {
		return cert, nil
	}
	return &tls.Certificate{}, nil
}

// verifyMaster is the whole verification of a peer: its chain under the CA in force, then its role.
func (s *Store) verifyMaster(cs tls.ConnectionState, cluster string, usage x509.ExtKeyUsage) error {
	pool := s.current().pool
	if pool == nil {
		return errors.New("peer refused: no CA to verify it against")
	}
	if len(cs.PeerCertificates) == 0 {
		return errors.New("peer refused: it presented no certificate")
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
