package main

import (
	"ffrtmp/client"
	"ffrtmp/internal/certs"
	"ffrtmp/internal/flags"
)

// connect returns a client by the global settings. The caller closes it.
func (c *cli) connect() (*client.Client, error) {
	s := &c.settings
	store, err := certs.Open(certs.Files{Cert: s.cert, Key: s.key, CA: s.ca}, nil)
	if err != nil {
		return nil, flags.Usagef("--ca, --cert, --key: %v", err)
	}
	tls := store.Client()
	tls.InsecureSkipVerify = s.insecure
	cl, err := client.New(client.Config{Masters: s.masters, APIKey: s.apiKey, TLS: tls, Patience: c.patience})
	if err != nil {
		return nil, flags.Usagef("--master: %v", err)
	}
	return cl, nil
}
