// Package devcluster runs a whole cluster on this machine: real masters and agents as child processes, with their own
// directories, ports, certificates and keys. `ffrtmp dev`, the demonstration, tests and fault runs are made of it.
//
// Nothing that it starts outlives the process that started it.
package devcluster
