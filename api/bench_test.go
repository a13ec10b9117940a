package api

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ffrtmp/ffrtmp/cluster"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/leader"
)

// BenchmarkSubmit is POST /jobs without a network and without consensus.
func BenchmarkSubmit(b *testing.B) {
	dir := b.TempDir()
	f, err := fsm.Open(fsm.Options{Path: filepath.Join(dir, "master.db"), Dir: filepath.Join(dir, "raft")})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	c := newFakeCluster("m1")
	proposer := fsm.NewProposer(&soloLog{fsm: f}, fsm.ProposerOptions{MaxRetries: 3})
	logger := hclog.NewNullLogger()
	service := leader.New(
		leader.Config{State: f, Proposer: proposer, Cluster: c, LeaseTTL: 30 * time.Second, Logger: logger})
	go service.Run(b.Context())
	c.setLeader(&cluster.Leader{ID: "m1"})
	for !service.Leading() {
		<-time.After(time.Millisecond)
	}
	registry := prometheus.NewRegistry()
	s := New(Config{
		State: f, Proposer: proposer, Leader: service, Cluster: c, Keys: Keys(f, testKey), Logger: logger,
		LeaseTTL: 30 * time.Second, Registerer: registry, Gatherer: registry,
	})
	body := []byte(`{"scenario":"1080p30-h264","labels":{"customer":"acme"},` +
		`"parameters":{"input":"in/movie.mp4","bitrate":"5M","preset":"fast"}}`)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := httptest.NewRequest(http.MethodPost, "/jobs", bytes.NewReader(body))
			r.Header.Set("Authorization", "Bearer "+testKey)
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			if w.Code != http.StatusCreated {
				b.Errorf("%d %s", w.Code, w.Body)
			}
		}
	})
}
