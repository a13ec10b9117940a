package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/ffrtmp/ffrtmp/internal/certs"
)

// certRequest describes the certificate that this master makes for itself: valid
// for its host name and for every address that it may be reached at.
func (c *config) certRequest() (certs.Request, error) {
	host, err := os.Hostname()
	if err != nil {
		return certs.Request{}, fmt.Errorf("host name: %w", err)
	}
	req := certs.Request{
		CommonName: host,
		Hosts:      append([]string{host, "localhost"}, c.certHosts...),
		IPs:        []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		Cluster:    c.cluster,
		Role:       certs.Role(c.certRole),
		Name:       strings.TrimSuffix(filepath.Base(c.files.Cert), filepath.Ext(c.files.Cert)),
	}
	for _, ip := range c.certIPs {
		req.IPs = append(req.IPs, net.ParseIP(ip))
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return certs.Request{}, fmt.Errorf("addresses of this host: %w", err)
	}
	for _, address := range addresses {
		if prefix, ok := address.(*net.IPNet); ok && prefix.IP.IsGlobalUnicast() {
			req.IPs = append(req.IPs, prefix.IP)
		}
	}
	if ip := net.ParseIP(c.advertise); ip != nil {
		req.IPs = append(req.IPs, ip)
	} else if c.advertise != "" {
		req.Hosts = append(req.Hosts, c.advertise)
	}
	return req, nil
}

// makeCert writes --cert and --key, signed by --ca when its key is given.
func (c *config) makeCert() error {
	req, err := c.certRequest()
	if err != nil {
		return err
	}
	var cert, key []byte
	if c.caKey != "" {
		ca, err := certs.LoadCA(c.files.CA, c.caKey)
		if err != nil {
			return err
		}
		cert, key, err = ca.Issue(req)
		if err != nil {
			return err
		}
	} else if cert, key, err = certs.SelfSigned(req); err != nil {
		return err
	}
	return certs.WritePair(c.files.Cert, c.files.Key, cert, key)
}

// ensureCert makes a self-signed pair when both files are missing, and reports
// whether it did. One file without the other is an operator's mistake.
func (c *config) ensureCert() (made bool, err error) {
	certMissing, err := missing(c.files.Cert)
	if err != nil {
		return false, err
	}
	keyMissing, err := missing(c.files.Key)
	if err != nil {
		return false, err
	}
	switch {
	case certMissing && keyMissing:
		return true, c.makeCert()
	case certMissing:
		return false, fmt.Errorf("--key %s is there but --cert %s is not", c.files.Key, c.files.Cert)
	case keyMissing:
		return false, fmt.Errorf("--cert %s is there but --key %s is not", c.files.Cert, c.files.Key)
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
