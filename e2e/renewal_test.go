package e2e

import (
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// Renewed certificates reach masters and agents without changing a process, connection or leader.
func TestRenewal_InterruptsNothing(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3, Agents: 1, CertLifetime: 10 * time.Minute})
	s.voters(3)
	authority := s.takeAuthority()

	film := newSource(t)
	j := s.submit(film.encode("out.mp4", nil))
	s.encoding(j.ID, 1)
	follower := s.Master(s.follower()).URL()
	stream := make(chan error, 1) // through a follower to the leader
	go func() {
		r, err := s.wire().send(s.soon(), "GET", follower+"/jobs/"+j.ID+"/logs?follow=true", "")
		if err == nil && (r.status != 200 || !strings.Contains(string(r.body), "muxing overhead")) {
			err = fmt.Errorf("status %d: %s", r.status, r.body)
		}
		stream <- err
	}()
	before, old := s.cluster(), map[string]string{}
	for _, address := range s.doors() {
		old[address] = s.serial(address)
	}

	renewed := s.command("ffrtmp", "certs", "renew", "--dir", authority, "--within", "1h")
	if n := strings.Count(renewed, "renewed"); n != 4 {
		t.Fatalf("got %d renewed certificates, want 4:\n%s", n, renewed)
	}
	s.command("distribute-certs", authority)

	for _, address := range s.doors() {
		s.eventually(
			"the new certificate is served at "+address,
			func() bool { return s.serial(address) != old[address] },
		)
	}
	leaf, err := certs.ReadPair(filepath.Join(authority, "agent-0.crt"), "")
	s.must(err)
	s.eventually("the agent has its new certificate", func() bool {
		r, err := s.wire().send(s.soon(), "GET", s.Agent(0).MetricsURL()+"/metrics", "")
		s.must(err)
		for line := range strings.Lines(string(r.body)) {
			var left float64
			if n, _ := fmt.Sscanf(line, `ffmpeg_agent_certificate_expiry_seconds{cert="client"} %g`, &left); n == 1 {
				return time.Until(leaf.Leaf.NotAfter).Seconds()-left < 1
			}
		}
		return false
	})
	select {
	case err := <-stream:
		t.Fatalf("stream: got its end (%v), want it open", err)
	default:
	}
	film.release()
	s.checkFilm(s.finished(j.ID), "out.mp4")
	if err := <-stream; err != nil {
		t.Errorf("stream: got %v", err)
	}
	if after := s.cluster(); after.Leader != before.Leader || after.Term != before.Term {
		t.Errorf("got leader %s in term %d, want %s in term %d", after.Leader, after.Term, before.Leader, before.Term)
	}
	s.wire().call(t, "POST", follower+"/jobs", `{"scenario":"360p"}`).want(t, 201)

	again := s.command("ffrtmp", "certs", "renew", "--dir", authority)
	if strings.Contains(again, "renewed") {
		t.Errorf("got a second renewal:\n%s", again)
	}
}

// takeAuthority moves the CA key to its own directory, with copies of the certificates and a
// hosts file.
func (s *site) takeAuthority() string {
	s.t.Helper()
	dir := s.t.TempDir()
	var hosts strings.Builder
	hosts.WriteString("# certificate, ssh target, files there\n\n")
	crts, err := filepath.Glob(filepath.Join(s.KeyDir(), "*.crt"))
	s.must(err)
	for _, crt := range crts {
		base := strings.TrimSuffix(crt, ".crt")
		name := filepath.Base(base)
		for _, suffix := range []string{".crt", ".key"} {
			data, err := os.ReadFile(base + suffix)
			s.must(err)
			s.must(os.WriteFile(filepath.Join(dir, name+suffix), data, 0o600))
		}
		if name != "ca" {
			fmt.Fprintf(&hosts, "%s root@host-of-%s %s\n", name, name, base)
		}
	}
	s.must(os.Remove(filepath.Join(s.KeyDir(), "ca.key")))
	s.must(os.WriteFile(filepath.Join(dir, "hosts"), []byte(hosts.String()), 0o600))
	return dir
}

// command runs a program with an ssh that runs its command locally.
func (s *site) command(name string, args ...string) string {
	s.t.Helper()
	path := filepath.Join(shared.bin, name)
	if name == "distribute-certs" {
		path = filepath.Join("..", "deploy", "systemd", name)
	}
	bin := s.t.TempDir()
	s.must(
		os.WriteFile(
			filepath.Join(bin, "ssh"),
			[]byte("#!/bin/sh\nfor command; do :; done\nexec sh -c \"$command\"\n"),
			0o700,
		),
	)
	cmd := exec.CommandContext(s.soon(), path, args...)
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + bin}
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// doors returns the addresses where masters show certificates.
func (s *site) doors() []string {
	var list []string
	for _, m := range s.Masters() {
		list = append(list, strings.TrimPrefix(m.URL(), "https://"), m.PeerAddress())
	}
	return list
}

// serial returns the serial number of the certificate on a new connection.
func (s *site) serial(address string) (serial string) {
	s.t.Helper()
	config := &tls.Config{
		InsecureSkipVerify: true,
		NextProtos:         []string{"h2"},
		VerifyConnection: func(cs tls.ConnectionState) error {
			serial = cs.PeerCertificates[0].SerialNumber.String()
			return nil
		},
	}
	if conn, err := tls.Dial("tcp", address, config); err == nil { // the peer port wants a certificate
		conn.Close()
	}
	return serial
}
