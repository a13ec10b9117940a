// Package certs issues, reads and reloads the certificates of masters and agents. It builds the TLS configurations that
// verify them: one for the API port, one for clients, and a pair for the peer port that accepts only masters of the
// same cluster.
//
// We have our own because crypto/x509 signs certificates but does not choose their content: key usages, the
// identifiers that strict verifiers require, and role URIs. It does not reload files either.
package certs
