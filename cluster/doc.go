// Package cluster is consensus and gossip for one master: it keeps the
// replicated log, elects a leader, finds and admits members, and carries
// requests to the leader. It knows commands only as bytes and the state only
// as a [StateMachine].
//
// Three rules hold the package together:
//
//   - A member is its id, never its address. The Raft configuration, votes and
//     heartbeats name ids; the addresses at which an id can be dialed are found
//     by gossip, by the hello on each connection, and in a file that
//     outlives restarts. All members may come back with other addresses.
//   - Gossip is discovery, never authority. Who votes is decided by the Raft
//     configuration, which only the leader changes.
//   - There is one peer port. TLS 1.3 with a master's certificate on both
//     sides is the entrance; ALPN then tells Raft from HTTP/2.
package cluster
