package e2e

import (
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// A finished job is removed from every master after --retention; its number is not reused.
func TestRetention_RemovesFinishedJobs(t *testing.T) {
	s := start(
		t,
		devcluster.Options{Masters: 3, MasterArgs: func(int) []string { return []string{"--retention", "1s"} }},
	)
	nowhere := ffrtmp.Spec{Scenario: "360p", Requires: &ffrtmp.Requires{Labels: map[string]string{"nowhere": "true"}}}
	waits, err := s.client.Submit(s.soon(), nowhere)
	s.must(err)
	over, err := s.client.Submit(s.soon(), nowhere)
	s.must(err)
	s.must(s.client.Cancel(s.soon(), over.ID))
	for _, m := range s.Masters() {
		one, err := client.New(client.Config{Masters: []string{m.URL()}, APIKey: s.APIKey(), TLS: s.ClientTLS()})
		s.must(err)
		t.Cleanup(one.Close)
		s.eventually("the job is removed", func() bool {
			_, err := one.Job(s.soon(), over.ID, client.Stale(0))
			return ffrtmp.CodeOf(err) == ffrtmp.NotFound
		})
		_, err = one.Job(s.soon(), waits.ID, client.Stale(0))
		s.must(err)
	}
	next, err := s.client.Submit(s.soon(), nowhere)
	s.must(err)
	if next.SequenceNumber != over.SequenceNumber+1 {
		t.Errorf("got job number %d, want %d", next.SequenceNumber, over.SequenceNumber+1)
	}
}
