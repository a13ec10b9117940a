// Package ffrtmp defines the types of the control plane: jobs, nodes, attempts, scenarios,
// errors, and the request and response bodies of the HTTP API. Programs use it with package
// client. It depends on the standard library only.
package ffrtmp
