package cluster

import (
	"errors"
	"io"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"
)

const (
	// rpcTimeout bounds one Raft RPC; for snapshots it grows with their size.
	rpcTimeout = 10 * time.Second
	// poolSize is how many idle connections to a member are kept.
	poolSize = 3
)

// transport is Raft's network transport with ids for addresses: what Raft calls
// the address of a member is its id everywhere, in the configuration, in votes
// and in heartbeats. After a restart, a vote for an address could be claimed by
// another member that now has the address.
type transport struct {
	*raft.NetworkTransport
	self     raft.ServerAddress
	verifier *leaderVerifier
	contacts *contactTracker
	memory   *peerMemory
	transportEvents
}

// transportEvents is what a transport's owner learns from it.
type transportEvents struct {
	patience *patience
	// received is called with each heartbeat that arrives, answered with the term of each
	// own one that is answered, and asking with each request for a vote.
	received func(*raft.AppendEntriesRequest)
	answered func(term uint64)
	asking   func(*raft.RequestVoteRequest)
}

// For a transport without PreVote, Raft only logs a warning and disables it.
var (
	_ raft.Transport   = (*transport)(nil)
	_ raft.WithPreVote = (*transport)(nil)
	_ raft.WithClose   = (*transport)(nil)
)

func newTransport(
	s *streamLayer, verifier *leaderVerifier, contacts *contactTracker, memory *peerMemory, events transportEvents,
	log hclog.Logger,
) *transport {
	return &transport{
		transportEvents: events,
		self:            raft.ServerAddress(s.self),
		verifier:        verifier,
		contacts:        contacts,
		memory:          memory,
		NetworkTransport: raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			ServerAddressProvider:   idAddresses{},
			Logger:                  log,
			Stream:                  s,
			MaxPool:                 poolSize,
			MaxRPCsInFlight:         1, // pipelining can deadlock (hashicorp/raft issue 612)
			Timeout:                 rpcTimeout,
			MsgpackUseNewTimeFormat: true,
		}),
	}
}

// LocalAddr implements raft.Transport.
func (t *transport) LocalAddr() raft.ServerAddress { return t.self }

// EncodePeer implements raft.Transport.
func (t *transport) EncodePeer(id raft.ServerID, _ raft.ServerAddress) []byte { return []byte(id) }

// AppendEntries implements raft.Transport.
func (t *transport) AppendEntries(
	id raft.ServerID, to raft.ServerAddress, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse,
) error {
	if isHeartbeat(req) {
		return t.patience.heartbeat(id, req, resp,
			func(req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
				return t.contacts.heartbeat(id, func() error {
					return t.append(id, to, req, resp, func() { t.answered(req.Term) })
				})
			})
	}
	return t.contacts.replicate(id, func() error { return t.append(id, to, req, resp, func() {}) })
}

// append sends the request; answered is called before the answer counts.
func (t *transport) append(
	id raft.ServerID, to raft.ServerAddress, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse,
	answered func(),
) error {
	return t.verifier.append(id, req, resp, func() error {
		err := retryStale(func() error { return t.NetworkTransport.AppendEntries(id, to, req, resp) })
		if err == nil {
			answered()
			t.memory.noteAppended(id, req, resp)
		}
		return err
	})
}

// SetHeartbeatHandler implements raft.Transport.
func (t *transport) SetHeartbeatHandler(handle func(raft.RPC)) {
	t.NetworkTransport.SetHeartbeatHandler(func(rpc raft.RPC) {
		if req, ok := rpc.Command.(*raft.AppendEntriesRequest); ok {
			t.received(req)
		}
		handle(rpc)
	})
}

// Close implements raft.WithClose.
func (t *transport) Close() error {
	err := t.NetworkTransport.Close()
	t.patience.wait()
	return err
}

// InstallSnapshot implements raft.Transport.
func (t *transport) InstallSnapshot(
	id raft.ServerID, to raft.ServerAddress,
	req *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader,
) error {
	return t.contacts.replicate(id, func() error { return t.NetworkTransport.InstallSnapshot(id, to, req, resp, data) })
}

// RequestVote implements raft.Transport.
func (t *transport) RequestVote(
	id raft.ServerID, to raft.ServerAddress, req *raft.RequestVoteRequest, resp *raft.RequestVoteResponse,
) error {
	t.asking(req)
	return retryStale(func() error { return t.NetworkTransport.RequestVote(id, to, req, resp) })
}

// RequestPreVote implements raft.WithPreVote.
func (t *transport) RequestPreVote(
	id raft.ServerID, to raft.ServerAddress, req *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse,
) error {
	return retryStale(func() error { return t.NetworkTransport.RequestPreVote(id, to, req, resp) })
}

// TimeoutNow implements raft.Transport.
func (t *transport) TimeoutNow(
	id raft.ServerID, to raft.ServerAddress, req *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse,
) error {
	return retryStale(func() error { return t.NetworkTransport.TimeoutNow(id, to, req, resp) })
}

// retryStale repeats an RPC while it fails on a pooled connection that the other
// end has closed since its last use: otherwise a restarted member costs a
// candidate its vote, and the cluster an election timeout. All these RPCs may be
// received twice.
func retryStale(rpc func() error) error {
	err := rpc()
	for range poolSize {
		if !errors.Is(err, io.EOF) && !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.EPIPE) {
			return err
		}
		err = rpc()
	}
	return err
}

// idAddresses makes Raft dial ids, whatever address its configuration contains.
type idAddresses struct{}

// ServerAddr implements raft.ServerAddressProvider.
func (idAddresses) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	return raft.ServerAddress(id), nil
}

// standForElection sends this master's own Raft the request by which a leader
// makes a follower stand for election.
func (t *transport) standForElection() error {
	req := &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(t.self), Addr: []byte(t.self),
	}}
	return t.TimeoutNow(raft.ServerID(t.self), t.self, req, new(raft.TimeoutNowResponse))
}
