package client

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// TrustCA returns a TLS configuration that trusts only the certificates in a PEM file: the CA of a cluster, or the own
// certificate of a single master.
func TrustCA(file string) (*tls.Config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("client: CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("client: CA: %s contains no certificate", file)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// ConfigFromEnv returns the Config that the environment describes, with the variables of the command ffrtmp: MASTER_URL
// (comma-separated API URLs, required), FFRTMP_CA (a file), and the API key in MASTER_API_KEY or in the file
// FFRTMP_API_KEY_FILE.
func ConfigFromEnv() (Config, error) {
	urls := cmp.Or(os.Getenv("FFRTMP_MASTER"), os.Getenv("MASTER_URL"))
	if urls == "" {
		return Config{}, errors.New("client: MASTER_URL is not set")
	}
	cfg := Config{
		Masters: strings.Split(urls, ","),
		APIKey:  cmp.Or(os.Getenv("FFRTMP_API_KEY"), os.Getenv("MASTER_API_KEY")),
	}
	var err error
	if file := os.Getenv("FFRTMP_CA"); file != "" {
		if cfg.TLS, err = TrustCA(file); err != nil {
			return Config{}, err
		}
	}
	if file := os.Getenv("FFRTMP_API_KEY_FILE"); file != "" && cfg.APIKey == "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return Config{}, fmt.Errorf("client: API key: %w", err)
		}
		cfg.APIKey = strings.TrimSpace(string(data))
	}
	return cfg, nil
}
