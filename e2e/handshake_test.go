package e2e

import (
	"context"
	"crypto/tls"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// openssl negotiates TLS 1.3 and 1.2 with a default master, and nothing older.
func TestTLS_VersionsByOpenssl(t *testing.T) {
	dir := t.TempDir()
	m := launchMaster(t, dir)
	for _, test := range []struct {
		name string
		args []string
		says string // "" = no handshake
	}{
		{"whatever is best", nil, "TLSv1.3"},
		{"1.2", []string{"-tls1_2"}, "TLSv1.2"},
		{"1.1", []string{"-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			args := append([]string{
				"s_client", "-connect", "127.0.0.1:" + m.api, "-CAfile", filepath.Join(dir, "certs", "master.crt"),
				"-verify_return_error", "-verify_ip", "127.0.0.1", "-brief",
			}, test.args...)
			out, err := exec.CommandContext(ctx, "openssl", args...).
				CombinedOutput()
				// with empty input it disconnects
			if test.says == "" {
				if err == nil || !strings.Contains(string(out), "alert protocol version") {
					t.Errorf("%v\n%s", err, out)
				}
				return
			}
			if err != nil || !strings.Contains(string(out), "Protocol version: "+test.says) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// With --mtls a client needs a certificate of the CA.
func TestTLS_MutualOnAPIPort(t *testing.T) {
	ca, foreign := newAuthority(t), newAuthority(t)
	server, user := ca.issue("m1", ""), ca.issue("user", "")
	api := freePort(t)
	launch(
		t,
		t.TempDir(),
		[]string{key},
		"master",
		"--mtls",
		"--ca",
		ca.cert,
		"--cert",
		server.Cert,
		"--key",
		server.Key,
		"--port",
		api,
		"--metrics-port",
		freePort(t),
	)
	get := func(files certs.Files) error {
		files.CA = ca.cert // only the master's verification matters
		store, err := certs.Open(files, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := &wire{
			http: &http.Client{
				Transport: &http.Transport{TLSClientConfig: store.Client(), DisableKeepAlives: true},
				Timeout:   patience,
			},
		}
		_, err = w.send(t.Context(), "GET", "https://127.0.0.1:"+api+"/health", "")
		return err
	}
	testkit.Eventually(t, "a user of the CA is let in", func() bool { return get(user) == nil })
	for name, files := range map[string]certs.Files{"nobody": {}, "a user of another CA": foreign.issue("user", "")} {
		if err := get(files); err == nil || !strings.Contains(err.Error(), "tls: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	config := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}
	if _, err := tls.Dial("tcp", "127.0.0.1:"+api, config); err == nil {
		t.Error("TLS 1.2 without a certificate: got a connection, want an error")
	}
}
