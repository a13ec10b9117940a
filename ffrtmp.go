// Package ffrtmp is the vocabulary of the control plane: jobs, nodes, attempts,
// scenarios, errors and the bodies of the HTTP API. Programs import it beside
// package client. It needs only the standard library.
package ffrtmp
