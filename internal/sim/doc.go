// Package sim runs a whole cluster inside one process and one testing/synctest
// bubble: three real Raft nodes over an in-memory network, the real state machine
// on SQLite files, the real proposer and leader service. Time is virtual, so minutes of
// elections, leases and backoffs pass in seconds; faults are drawn from a seed.
//
// Only tests live here. What it cannot show (real disks, sockets, processes) is
// shown in package e2e.
package sim
