// Package client is the Go client of an ffrtmp cluster. It is given any of the
// masters' addresses, finds the leader by itself, and goes on to another master
// when one dies, is frozen, or has no leader.
//
// A write is repeated until it is answered: every one carries an idempotency
// key, so that repeating it changes nothing twice. What a master refuses is
// returned at once as a *ffrtmp.Error; ffrtmp.CodeOf gives its code. When no answer
// came in time, the error is an *UnavailableError if nothing can have happened,
// and an *UnknownOutcomeError if it may have.
package client
