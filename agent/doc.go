// Package agent runs jobs on a machine that has ffmpeg. It claims attempts from
// the masters, runs each under a supervisor process of its own, reports progress
// and publishes outputs. DESIGN.md explains why.
//
// # Restarts
//
// When Run's context ends (SIGTERM or SIGINT in cmd/agent) the agent drains: it
// stops claiming, keeps sending heartbeats and results, and waits up to
// DrainTimeout for running attempts; 0 does not wait. Attempts that still run are
// left to their supervisors. The next agent with the same state directory
// continues them, unless their lease expired and another node claimed the job.
// Service managers must therefore stop only the agent's own process (systemd:
// KillMode=process), and an upgrade needs no idle machine.
//
// # State directory
//
//	lock                  held while an agent uses the directory
//	identity              the node's UUID
//	cluster.json          the cluster's id and the last known addresses of its masters
//	encoders.json         which encoders work, until ffmpeg or the devices change
//	attempts/JOB-N/       one attempt: claim.json, then the supervisor's files, then
//	                      outcome.json from its end until a master has accepted it
package agent
