package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// A snapshot is restored under load, while a follower is down and the leader is killed: all or nothing,
// and all three masters have the same jobs afterwards.
func TestRestore_UnderLoad(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	kept := submitMany(s, 20)
	var saved bytes.Buffer
	s.must(s.client.Snapshot(s.soon(), func(r io.Reader) error {
		saved.Reset()
		_, err := io.Copy(&saved, r)
		return err
	}))
	down := s.Master(s.follower())
	down.Kill()

	loading, stop := context.WithCancel(t.Context())
	defer stop()
	var load sync.WaitGroup
	load.Go(func() {
		for loading.Err() == nil {
			_, err := s.client.Submit(loading, ffrtmp.Spec{Scenario: "480p-h264"})
			if err != nil && loading.Err() == nil {
				t.Errorf("a submission during the restore: %v", err)
				return
			}
		}
	})
	file := client.File{ReaderAt: bytes.NewReader(saved.Bytes()), Size: int64(saved.Len())}
	var killed sync.Once
	file.Sent = func(n int64) {
		if n == file.Size {
			killed.Do(func() {
				leader := s.Master(s.leader())
				leader.Kill()
				s.must(down.Start())
				s.must(leader.Start())
			})
		}
	}
	restored, err := s.client.RestoreSnapshot(s.soon(), file, client.Persist())
	stop()
	load.Wait()
	s.must(err)
	if restored.Jobs != int64(len(kept)) {
		t.Errorf("got %d jobs restored, want %d", restored.Jobs, len(kept))
	}
	s.must(s.WaitReady(s.soon()))
	s.sameJobs(kept)
}

// sameJobs waits until each master by itself has the same jobs, and checks that these are among them.
func (s *site) sameJobs(ids []string) {
	s.t.Helper()
	own := func(m *devcluster.Master) map[string]bool {
		c, err := client.New(client.Config{Masters: []string{m.URL()}, APIKey: s.APIKey(), TLS: s.ClientTLS()})
		s.must(err)
		defer c.Close()
		jobs := map[string]bool{}
		for j, err := range c.AllJobs(s.soon(), client.ListOptions{}, client.Stale(0)) {
			s.must(err)
			jobs[j.ID] = true
		}
		return jobs
	}
	s.eventually("every master has the same jobs", func() bool {
		first := own(s.Master(0))
		for _, m := range s.Masters()[1:] {
			other := own(m)
			for id := range other {
				if !first[id] {
					return false
				}
			}
			if len(other) != len(first) {
				return false
			}
		}
		return true
	})
	found := own(s.Master(0))
	for _, id := range ids {
		if !found[id] {
			s.t.Error(errors.New("job " + id + " of the snapshot is missing"))
		}
	}
}
