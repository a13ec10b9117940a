package cluster

import (
	"errors"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// Pipelined replication can deadlock (hashicorp/raft issue 612).
func TestTransport_NoPipelining(t *testing.T) {
	s := newStreamLayer("self", streamConfig{})
	events := transportEvents{patience: newPatience(0, nil)}
	trans := newTransport(s, new(leaderVerifier), newContactTracker(t.Context(), 0), nil, events, hclog.NewNullLogger())
	defer trans.Close()
	_, err := trans.AppendEntriesPipeline("other", "other")
	if !errors.Is(err, raft.ErrPipelineReplicationNotSupported) {
		t.Errorf("got %v, want %v", err, raft.ErrPipelineReplicationNotSupported)
	}
}

// Raft disables PreVote for a transport that does not support it.
func TestTransport_PreVote(t *testing.T) {
	if _, ok := raft.Transport(&transport{}).(raft.WithPreVote); !ok {
		t.Error("got a transport without PreVote, want one with it")
	}
}

// A vote names an id, not an address.
func TestTransport_EncodePeer(t *testing.T) {
	if got := (&transport{}).EncodePeer("id", "10.0.0.1:8300"); string(got) != "id" {
		t.Errorf("got %q, want %q", got, "id")
	}
}
