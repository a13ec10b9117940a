// Package master runs one master of a cluster in this process: a Raft peer, the API server, and the leader's work while
// it leads. cmd/master is this package behind flags; a test or another program starts a master with New and Run.
package master
