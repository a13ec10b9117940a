// Package agent runs jobs on a machine that has ffmpeg. It claims attempts from
// the masters, has each run by a supervisor process of its own, reports how they
// go, and publishes what they make.
//
// Everything that must not be lost is in files of the state directory, and every
// step of an attempt's life may be taken twice: an agent that was killed goes on
// from the files. Masters may all be away; ffmpeg goes on, and results wait on
// disk until one is back.
//
// # Restarts
//
// When Run's context ends, which cmd/agent has SIGTERM and SIGINT do, the agent
// drains: it claims nothing more, goes on with heartbeats and results, and waits
// up to DrainTimeout for what it runs; with 0 it does not wait. What still runs
// then is left to its supervisor, and the next agent with the same state directory
// takes it up again; once the lease has run out, unless another node was faster.
// Service managers must therefore end only the agent's own process (systemd:
// KillMode=process), and an upgrade needs no idle machine.
//
// # State directory
//
//	lock                  held while an agent uses the directory
//	identity              the node's UUID
//	cluster.json          the cluster's id, and its masters' addresses as last heard
//	attempts/JOB-N/       one attempt: claim.json, then the supervisor's files, then
//	                      outcome.json once it has ended and until a master knows
package agent
