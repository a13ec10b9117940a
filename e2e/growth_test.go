package e2e

import (
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// A single master becomes three under load, and one again: no request fails.
func TestMembership_OneThreeOne(t *testing.T) { growAndShrink(t, 3) }

// growAndShrink grows a single master to a number of masters and shrinks it again, two at a time, under load.
func growAndShrink(t *testing.T, most int) {
	s := prepare(t, devcluster.Options{Masters: 1})
	for range most - 1 {
		_, err := s.AddMaster()
		s.must(err)
	}
	all := s.Masters()
	s.restart(all[0])
	l := s.load(all[0])
	l.more()
	for running := 1; running < most; running += 2 {
		for _, m := range all[running : running+2] {
			s.restart(m)
			l.add(m)
		}
		s.voters(running + 2)
		l.more()
	}
	// The leader leaves, too, where it is one of those that go.
	for left := most; left > 1; left -= 2 {
		for _, m := range all[left-2 : left] {
			l.drop(m)
			id := s.nodeID(m)
			s.command("ffrtmp", "cluster", "remove", id, "--force", "--master", all[0].URL(), "--ca", s.CAFile(),
				"--api-key-file", s.APIKeyFile())
			s.must(m.Stop(s.soon()))
		}
		s.voters(left - 2)
		l.more()
	}
	l.verify()
}

// ready returns a master's answer to /health/ready.
func (s *site) ready(m *devcluster.Master) (status int, h ffrtmp.Health) {
	s.t.Helper()
	r, err := s.wire().send(s.soon(), "GET", m.URL()+"/health/ready", "")
	if err == nil {
		r.decode(s.t, &h)
	}
	return r.status, h
}

// says waits until a master says in /health/ready and in its log that it cannot work with another one.
func (s *site) says(m *devcluster.Master, status int, who, reason string) {
	s.t.Helper()
	s.eventually(m.Name()+" names "+who+": "+reason, func() bool {
		got, h := s.ready(m)
		text := strings.Join(append(h.Reasons, h.Warnings...), "\n")
		log, err := os.ReadFile(m.LogPath())
		return err == nil && got == status && strings.Contains(text, who) && strings.Contains(text, reason) &&
			strings.Contains(string(log), reason)
	})
}

// A wrong gossip key and a single master that joins another cluster: each master says with whom it cannot work.
func TestMisfits_GossipKeyAndCluster(t *testing.T) {
	wrong := filepath.Join(t.TempDir(), "gossip.key")
	s := prepare(t, devcluster.Options{Masters: 1, MasterArgs: func(i int) []string {
		return [][]string{
			nil, {"--bootstrap-expect", "1"}, {"--gossip-key-file", wrong},
		}[i]
	}})
	s.must(os.WriteFile(wrong, []byte(base64.StdEncoding.EncodeToString([]byte("fedcba9876543210"))+"\n"), 0o600))
	for range 2 {
		_, err := s.AddMaster()
		s.must(err)
	}
	first, second, third := s.Master(0), s.Master(1), s.Master(2)
	s.restart(second)
	s.must(second.Stop(s.soon()))
	s.restart(first)
	s.restart(second)
	s.says(first, http.StatusOK, "master-1", "belongs to the cluster")
	s.says(second, http.StatusOK, "master-0", "belongs to the cluster")
	s.must(third.Start())
	s.says(third, http.StatusServiceUnavailable, "127.0.0.1", "another gossip key")
	s.says(first, http.StatusOK, "127.0.0.1", "another gossip key")
}

// Masters with different --bootstrap-expect form nothing, and name each other.
func TestMisfits_BootstrapExpect(t *testing.T) {
	s := prepare(t, devcluster.Options{Masters: 2, MasterArgs: func(i int) []string {
		return []string{"--bootstrap-expect", strconv.Itoa(2 + i)}
	}})
	for _, m := range s.Masters() {
		s.must(m.Start())
	}
	s.says(s.Master(0), http.StatusServiceUnavailable, "master-1", "--bootstrap-expect 3")
	s.says(s.Master(1), http.StatusServiceUnavailable, "master-0", "--bootstrap-expect 2")
}
