package main

import (
	"net/http"

	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

// connect returns a client by the global settings. The caller closes it.
func (c *cli) connect() (*client.Client, error) {
	s := &c.settings
	store, err := certs.Open(certs.Files{Cert: s.cert, Key: s.key, CA: s.ca}, nil)
	if err != nil {
		return nil, flags.Usagef("--ca, --cert, --key: %v", err)
	}
	cfg := client.Config{Masters: s.masters, APIKey: s.apiKey, TLS: store.Client(), Patience: c.patience}
	cfg.TLS.InsecureSkipVerify = s.insecure
	if !s.insecure {
		cfg.DialTLS = store.DialTLS // a watch may outlive the CA
	}
	cfg.Wrap = func(rt http.RoundTripper) http.RoundTripper { return c.tracer.Transport(rt, "call") }
	cl, err := client.New(cfg)
	if err != nil {
		return nil, flags.Usagef("--master: %v", err)
	}
	return cl, nil
}
