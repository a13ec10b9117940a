// Package store keeps the replicated state in SQLite: it opens, verifies and migrates the database file, prepares
// the statements that commands write with, and answers everything that is read.
//
// It knows rows, not commands: package fsm decides what is written. It has no clock.
package store
