// Package devcluster runs a whole cluster on this machine: real masters and agents as child processes, with their own
// directories, ports, certificates and keys. `ffrtmp dev`, the demonstration and tests use it.
//
// No process that it starts outlives its own.
package devcluster
