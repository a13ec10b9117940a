// Package cluster is consensus and gossip for one master: it stores the
// replicated log, elects a leader, finds and admits members, and forwards
// requests to the leader. Commands are bytes to it, and the state is a
// [StateMachine]. DESIGN.md explains the decisions.
//
// Three rules hold the package together:
//
//   - A member is its id, never its address. The Raft configuration, votes and
//     heartbeats name ids. The addresses of an id come from gossip, from the
//     hello on each connection, and from a file that survives restarts. All
//     members may return with other addresses.
//   - Gossip is discovery, never authority. The Raft configuration decides who
//     votes, and only the leader changes it.
//   - There is one peer port. It requires TLS 1.3 with a master's certificate on
//     both sides; ALPN then separates Raft from HTTP/2.
package cluster
