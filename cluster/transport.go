package cluster

import (
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// rpcTimeout bounds one Raft RPC; for snapshots it grows with their size.
const rpcTimeout = 10 * time.Second

// transport is Raft's network transport with ids for addresses: what Raft
// calls the address of a member is its id everywhere, in its configuration, in
// votes and in heartbeats. A vote that was given to an address could be
// claimed by whoever has the address after a restart.
type transport struct {
	*raft.NetworkTransport
	self raft.ServerAddress
}

// Raft turns PreVote off, with no more than a warning, for a transport that
// does not support it.
var (
	_ raft.Transport   = (*transport)(nil)
	_ raft.WithPreVote = (*transport)(nil)
	_ raft.WithClose   = (*transport)(nil)
)

func newTransport(s *stream, log hclog.Logger) *transport {
	return &transport{
		self: raft.ServerAddress(s.self),
		NetworkTransport: raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			ServerAddressProvider:   idAddresses{},
			Logger:                  log,
			Stream:                  s,
			MaxPool:                 3,
			MaxRPCsInFlight:         1, // pipelined replication can deadlock (hashicorp/raft issue 612)
			Timeout:                 rpcTimeout,
			MsgpackUseNewTimeFormat: true,
		}),
	}
}

// LocalAddr implements raft.Transport.
func (t *transport) LocalAddr() raft.ServerAddress { return t.self }

// EncodePeer implements raft.Transport.
func (t *transport) EncodePeer(id raft.ServerID, _ raft.ServerAddress) []byte { return []byte(id) }

// idAddresses makes Raft dial ids whatever address a configuration holds.
type idAddresses struct{}

// ServerAddr implements raft.ServerAddressProvider.
func (idAddresses) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	return raft.ServerAddress(id), nil
}

// standForElection sends this master's own Raft the request by which a leader
// makes a follower its successor.
func (t *transport) standForElection() error {
	req := &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(t.self), Addr: []byte(t.self),
	}}
	return t.TimeoutNow(raft.ServerID(t.self), t.self, req, new(raft.TimeoutNowResponse))
}
