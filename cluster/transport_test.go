package cluster

import (
	"errors"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// Replication that goes on before it is answered can deadlock (hashicorp/raft issue 612).
func TestReplicationIsNotPipelined(t *testing.T) {
	trans := newTransport(newStreamLayer("self", streamConfig{}), new(leaderVerifier), newContactTracker(t.Context(), 0), hclog.NewNullLogger())
	defer trans.Close()
	if _, err := trans.AppendEntriesPipeline("other", "other"); !errors.Is(err, raft.ErrPipelineReplicationNotSupported) {
		t.Errorf("got %v", err)
	}
}
