// Package sim tests a whole cluster in one process and one testing/synctest bubble: three
// real Raft nodes over an in-memory network, the real state machine on SQLite files, the
// real proposer and leader service. Time is virtual, so minutes of elections, leases and
// backoffs take seconds. Faults are drawn from a seed.
//
// Package e2e covers what this cannot: real disks, sockets and processes.
package sim
