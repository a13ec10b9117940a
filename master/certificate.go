package master

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ffrtmp/ffrtmp/internal/certs"
)

// CertificateOptions say what WriteCertificate makes beyond a master's own names and addresses.
type CertificateOptions struct {
	CAKey string   // path of the key of Files.CA, which signs; "" makes a self-signed certificate
	Hosts []string // further host names
	IPs   []string // further IP addresses
	Role  string   // master or agent; "" carries no role
	Force bool     // replace an existing certificate and key
}

// ErrCertificateExists says that WriteCertificate would replace a file.
var ErrCertificateExists = errors.New("the file exists and is not replaced")

// Validate returns an error for values that cannot work.
func (o CertificateOptions) Validate() error {
	if !slices.Contains([]string{"", string(certs.RoleMaster), string(certs.RoleAgent)}, o.Role) {
		return fmt.Errorf("role must be master or agent, not %q", o.Role)
	}
	for _, ip := range o.IPs {
		if net.ParseIP(ip) == nil {
			return fmt.Errorf("%q is not an IP address", ip)
		}
	}
	return nil
}

// WriteCertificate makes a certificate for the host name and every address of this host and writes it to c.Files.Cert
// (mode 0644) and its key to c.Files.Key (mode 0600). Without o.Force it replaces neither.
func WriteCertificate(c Config, o CertificateOptions) error {
	if err := o.Validate(); err != nil {
		return err
	}
	if err := o.keep(c.Files); err != nil {
		return err
	}
	req, err := certificateRequest(c, o)
	if err != nil {
		return err
	}
	cert, key, err := issue(c, o, req)
	if err != nil {
		return err
	}
	return certs.WritePair(c.Files.Cert, c.Files.Key, cert, key)
}

// keep returns an error if a file exists that must not be replaced.
func (o CertificateOptions) keep(files Files) error {
	if o.Force {
		return nil
	}
	for _, path := range []string{files.Cert, files.Key} {
		switch gone, err := missing(path); {
		case err != nil:
			return err
		case !gone:
			return fmt.Errorf("%s: %w", path, ErrCertificateExists)
		}
	}
	return nil
}

func issue(c Config, o CertificateOptions, req certs.Request) (cert, key []byte, err error) {
	if o.CAKey == "" {
		return certs.SelfSigned(req)
	}
	ca, err := certs.LoadCA(c.Files.CA, o.CAKey)
	if err != nil {
		return nil, nil, err
	}
	return ca.Issue(req)
}

func certificateRequest(c Config, o CertificateOptions) (certs.Request, error) {
	host, err := os.Hostname()
	if err != nil {
		return certs.Request{}, fmt.Errorf("host name: %w", err)
	}
	addresses, err := globalAddresses()
	if err != nil {
		return certs.Request{}, fmt.Errorf("addresses of this host: %w", err)
	}
	hosts := append([]string{host, "localhost"}, o.Hosts...)
	if c.Advertise != "" {
		hosts = append(hosts, c.Advertise)
	}
	return certs.Request{
		CommonName: host,
		Hosts:      append(hosts, o.IPs...), // an IP address among them counts as such
		IPs:        append(addresses, net.IPv4(127, 0, 0, 1), net.IPv6loopback),
		Cluster:    c.Cluster,
		Role:       certs.Role(o.Role),
		Name:       strings.TrimSuffix(filepath.Base(c.Files.Cert), filepath.Ext(c.Files.Cert)),
	}, nil
}

// ensureCertificate makes a self-signed pair when both files are missing, and reports whether it did. One file without
// the other is an operator's mistake.
func ensureCertificate(c Config) (made bool, err error) {
	certMissing, err := missing(c.Files.Cert)
	if err != nil {
		return false, err
	}
	keyMissing, err := missing(c.Files.Key)
	if err != nil {
		return false, err
	}
	switch {
	case certMissing && keyMissing:
		return true, WriteCertificate(c, CertificateOptions{})
	case certMissing:
		return false, fmt.Errorf("key %s exists but certificate %s does not", c.Files.Key, c.Files.Cert)
	case keyMissing:
		return false, fmt.Errorf("certificate %s exists but key %s does not", c.Files.Cert, c.Files.Key)
	}
	return false, nil
}

func missing(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return false, err
}

// warnUnnamed logs an error for an API certificate without a host name or address, which openssl makes by default: Go
// programs, our agents and CLI among them, ignore its common name and refuse it.
func (m *Master) warnUnnamed(leaf *x509.Certificate) {
	if len(leaf.DNSNames)+len(leaf.IPAddresses) > 0 {
		return
	}
	m.logger.Error("the certificate has no subjectAltName: agents and clients refuse it",
		"cert", m.config.Files.Cert, "fix", m.config.regenerate(leaf))
}

// regenerate is the command that replaces a certificate by one with names, of the same kind.
func (c Config) regenerate(leaf *x509.Certificate) string {
	command := "master --generate-cert --force --cert " + c.Files.Cert + " --key " + c.Files.Key
	// openssl gives a certificate and its CA the same name when all its questions are left unanswered.
	if leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil {
		return command
	}
	return command + " --ca " + cmp.Or(c.Files.CA, "ca.crt") + " --ca-key ca.key"
}
