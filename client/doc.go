// Package client is the Go client of an ffrtmp cluster. It needs the address of any master, finds the leader by itself,
// and fails over to another master when one dies, hangs or has no leader.
//
// # Errors
//
// A refusal by a master is returned at once as a *ffrtmp.Error; ffrtmp.CodeOf returns its code. Without an answer in
// time, the error is an *UnavailableError if the call has changed nothing, and an *UnknownOutcomeError if it may have.
// A call that its context ends returns one of these two; errors.Is finds context.Canceled or context.DeadlineExceeded
// in it.
//
// # Retries
//
// A call is retried at one master after another, for Config.Patience after its first failed try. A write carries an
// idempotency key, so repeating it has no further effect.
//
// # Concurrency
//
// A Client is safe for concurrent use, and one is enough for a process. Methods block until they have an answer.
//
// # Units
//
// Times are UTC. Durations are time.Duration, except in wire types of package ffrtmp, whose field names end in the unit
// (such as _seconds and _bytes). Progress is in per cent.
package client
