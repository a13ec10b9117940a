package e2e

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// Gossip keys, the authority and its certificates, API keys and the bootstrap key are replaced one after the
// other under load: no request fails, and the agent keeps its job.
func TestRotation_UnderLoad(t *testing.T) {
	agentKey := filepath.Join(t.TempDir(), "agent.key")
	s := prepare(t, devcluster.Options{
		Masters: 3, Agents: 1, AgentArgs: func(int) []string { return []string{"--api-key-file", agentKey} },
	})
	for _, m := range s.Masters() {
		s.must(m.Start())
	}
	s.voters(3)
	first, _ := s.createKey(s.Master(0), `{"name":"agent-0","scopes":["agent"]}`)
	s.must(os.WriteFile(agentKey, []byte(first.Secret+"\n"), 0o600))
	s.must(s.Agent(0).Start())
	s.must(s.Agent(0).WaitReady(s.soon()))
	film := newSource(t)
	j := s.submit(film.encode("out.mp4", nil))
	s.encoding(j.ID, 1)

	l := s.load(s.Masters()...)
	l.more()
	key := s.rotateGossipKey()
	l.more()
	s.rotateAgentKey(first, agentKey)
	l.more()
	s.rotateAuthority(l)
	s.reconnect() // its client trusts the old authority
	l.more()
	s.rotateBootstrapKey(l)
	l.more()

	film.release()
	j = s.finished(j.ID)
	s.checkFilm(j, "out.mp4")
	s.oneAttempt(j)
	l.verify()
	s.must(s.Stop(s.soon()))
	s.checkFiles(map[string]string{"the gossip key": key})
}

// gossip runs ffrtmp gossip against a follower.
func (s *site) gossip(args ...string) string {
	s.t.Helper()
	return s.ffrtmp(append([]string{"gossip", "--master", s.Master(s.follower()).URL()}, args...)...)
}

// rotateGossipKey leaves every master with a new key, and returns it.
func (s *site) rotateGossipKey() string {
	s.t.Helper()
	var list ffrtmp.GossipKeyList
	read := func() ffrtmp.GossipKeyList {
		s.must(json.Unmarshal([]byte(s.gossip("list", "-o", "json")), &list))
		return list
	}
	old := read().Keys[0].Fingerprint
	key := strings.TrimSpace(s.gossip("install"))
	if read(); list.Count != 2 || len(list.Keys[1].Masters) != 3 || len(list.Keys[0].PrimaryOn) != 3 {
		s.t.Fatalf("got %+v after the installation, want two keys on three masters", list)
	}
	s.gossip("use", list.Keys[1].Fingerprint[:6])
	s.gossip("remove", old)
	if read(); list.Count != 1 || list.Keys[0].Fingerprint == old || len(list.Keys[0].PrimaryOn) != 3 {
		s.t.Fatalf("got %+v after the rotation, want the new key on three masters", list)
	}
	for _, m := range s.Masters() {
		s.checkKeyring(m, key)
		series, _ := s.metricsOf(m.MetricsURL())
		if dead := series[`ffmpeg_master_raft_members{state="dead"}`]; dead != "0" {
			s.t.Errorf("%s: got %q dead members after the rotation, want 0", m.Name(), dead)
		}
	}
	return key
}

// checkKeyring checks a master's kept keys.
func (s *site) checkKeyring(m *devcluster.Master, key string) {
	s.t.Helper()
	path := filepath.Join(m.Dir(), "raft", "gossip.keys")
	data, err := os.ReadFile(path)
	s.must(err)
	info, err := os.Stat(path)
	s.must(err)
	if info.Mode().Perm() != 0o600 || strings.Count(string(data), key) != 1 {
		s.t.Errorf("%s: got mode %v, want 0600 and the new key", path, info.Mode())
	}
}

// rotateAgentKey gives the agent another key and revokes the old one.
func (s *site) rotateAgentKey(old ffrtmp.CreatedKey, file string) {
	s.t.Helper()
	next, _ := s.createKey(s.Master(0), `{"name":"agent-0","scopes":["agent"]}`)
	s.must(os.WriteFile(file, []byte(next.Secret+"\n"), 0o600))
	s.must(s.Agent(0).Signal(syscall.SIGHUP))
	s.eventually("the agent has read its new key", func() bool {
		data, err := os.ReadFile(s.Agent(0).LogPath())
		return err == nil && strings.Contains(string(data), "reloading")
	})
	s.wire().call(s.t, "DELETE", s.Master(0).URL()+"/keys/"+old.ID, "").want(s.t, http.StatusOK)
}

// rotateAuthority follows the guide in docs/operations.md: both authorities, new certificates, the new one alone.
func (s *site) rotateAuthority(l *load) {
	s.t.Helper()
	old := s.takeAuthority()
	oldCA, err := os.ReadFile(filepath.Join(old, "ca.crt"))
	s.must(err)
	next := filepath.Join(s.t.TempDir(), "pki-2")
	s.command("ffrtmp", "certs", "init", "--dir", next, "--days", "30") // less than the old one has left
	newCA, err := os.ReadFile(filepath.Join(next, "ca.crt"))
	s.must(err)
	both := append(append([]byte{}, oldCA...), newCA...)
	s.must(os.WriteFile(filepath.Join(old, "ca.crt"), both, 0o600))
	s.command("distribute-certs", old)
	s.trustBoth()
	s.must(l.tls.Reload())
	l.more()

	s.must(os.WriteFile(filepath.Join(next, "ca.crt"), append(append([]byte{}, newCA...), oldCA...), 0o600))
	names, err := filepath.Glob(filepath.Join(old, "*.crt"))
	s.must(err)
	for _, name := range append(names, filepath.Join(old, "hosts")) {
		if filepath.Base(name) == "ca.crt" {
			continue
		}
		data, err := os.ReadFile(name)
		s.must(err)
		s.must(os.WriteFile(filepath.Join(next, filepath.Base(name)), data, 0o600))
	}
	before := map[string]string{}
	for _, door := range s.doors() {
		before[door] = s.serial(door)
	}
	s.command("ffrtmp", "certs", "renew", "--dir", next, "--force")
	s.command("distribute-certs", next)
	for _, door := range s.doors() {
		s.eventually("a certificate of the new authority", func() bool { return s.serial(door) != before[door] })
	}
	l.more()
	s.must(os.WriteFile(filepath.Join(next, "ca.crt"), newCA, 0o600))
	s.command("distribute-certs", next)
	s.refusesOldAuthority(old)
}

// trustBoth waits until masters and agent have read the second authority.
func (s *site) trustBoth() {
	s.t.Helper()
	below := func(url, metric string) bool {
		series, _ := s.metricsOf(url)
		left, err := strconv.ParseFloat(series[metric], 64)
		return err == nil && left < (31*24*time.Hour).Seconds()
	}
	for _, m := range s.Masters() {
		s.eventually(m.Name()+" trusts both authorities", func() bool {
			s.must(m.Signal(syscall.SIGHUP))
			return below(m.MetricsURL(), `ffmpeg_master_certificate_expiry_seconds{cert="api-ca"}`) &&
				below(m.MetricsURL(), `ffmpeg_master_certificate_expiry_seconds{cert="peer-ca"}`)
		})
	}
	s.eventually("the agent trusts both authorities", func() bool {
		s.must(s.Agent(0).Signal(syscall.SIGHUP))
		return below(s.Agent(0).MetricsURL(), `ffmpeg_agent_certificate_expiry_seconds{cert="client-ca"}`)
	})
}

// refusesOldAuthority waits until a master's certificate of the old authority is refused at every peer port.
func (s *site) refusesOldAuthority(old string) {
	s.t.Helper()
	authority := certs.Files{
		Cert: filepath.Join(old, "master-0.crt"), Key: filepath.Join(old, "master-0.key"), CA: s.CAFile(),
	}
	pair, err := tls.LoadX509KeyPair(authority.Cert, authority.Key)
	s.must(err)
	config := &tls.Config{
		InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"},
	}
	for _, m := range s.Masters() {
		s.eventually(m.Name()+" refuses the old authority", func() bool {
			s.must(m.Signal(syscall.SIGHUP))
			conn, err := tls.Dial("tcp", m.PeerAddress(), config)
			if err != nil {
				return true
			}
			defer conn.Close()
			_, err = conn.Read(make([]byte, 1)) // the server judges the certificate after the handshake
			return err != nil && strings.Contains(err.Error(), "certificate")
		})
	}
}

// rotateBootstrapKey replaces the masters' first key, and with it that of the load.
func (s *site) rotateBootstrapKey(l *load) {
	s.t.Helper()
	file, old, next := s.APIKeyFile(), s.APIKey(), rand.Text()
	put := func(lines ...string) {
		s.must(os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
		for _, m := range s.Masters() {
			s.must(m.Signal(syscall.SIGHUP))
		}
	}
	answers := func(key string, status int) {
		for _, m := range s.Masters() {
			w := s.wire()
			w.key = key
			s.eventually(fmt.Sprintf("%s answers %d", m.Name(), status), func() bool {
				return w.call(s.t, "GET", m.URL()+"/jobs?limit=1&stale", "").status == status
			})
		}
	}
	put(old, next)
	answers(next, http.StatusOK)
	l.use(next)
	l.more()
	put(next)
	answers(old, http.StatusUnauthorized)
	l.more()
	put(old, next) // for the harness, which has the old one
	answers(old, http.StatusOK)
}
