// Package certs makes the certificates of a cluster, keeps those of a running process up to date, and turns them into
// TLS configurations: one for the API port, one for clients, and a pair for the peer port that lets nobody in but the
// masters of the same cluster.
package certs
