package main

import (
	"net/http"

	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

// connect returns a client by the global settings. The caller closes it.
func (c *command) connect() (*client.Client, error) {
	s := &c.settings
	store, err := certs.Open(certs.Files{Cert: s.Cert, Key: s.Key, CA: s.CA}, nil)
	if err != nil {
		return nil, flags.Usagef("--ca, --cert, --key: %v", err)
	}
	cfg := client.Config{Masters: s.Masters, APIKey: s.APIKey, TLS: store.Client(), Patience: c.patience}
	cfg.TLS.InsecureSkipVerify = s.Insecure
	if !s.Insecure {
		cfg.DialTLS = store.DialTLS // a watch may outlive the CA
	}
	cfg.Wrap = func(rt http.RoundTripper) http.RoundTripper { return c.tracer.Transport(rt, "call") }
	cl, err := client.New(cfg)
	if err != nil {
		return nil, flags.Usagef("--master: %v", err)
	}
	return cl, nil
}
