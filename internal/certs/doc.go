// Package certs makes, reads and reloads the certificates of masters and agents, and builds the TLS configurations that
// verify them: one for the API port, one for clients, and a pair for the peer port that admits masters of the same cluster
// only. We have our own because crypto/x509 signs but does not choose: usages, the identifiers that strict verifiers
// demand, role URIs and reloading without a restart are decided here.
package certs
