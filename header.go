package ffrtmp

// Headers of the HTTP API, besides the standard ones. Every answer has IndexHeader,
// KnownLeaderHeader, ServedByHeader and RequestIDHeader.
const (
	IdempotencyHeader = "Idempotency-Key" // on a write: repeating the request has no second effect
	RequestIDHeader   = "X-Request-Id"    // identifies a request in the logs of every master

	IndexHeader       = "X-Ffrtmp-Index"        // Raft index that the answer reflects
	KnownLeaderHeader = "X-Ffrtmp-Known-Leader" // whether the answering master knows a leader
	LeaderHeader      = "X-Ffrtmp-Leader"       // the leader's API URL
	LastContactHeader = "X-Ffrtmp-Last-Contact" // ms since the answering master heard from the leader
	ServedByHeader    = "X-Ffrtmp-Served-By"    // node id of the answering master

	LogAttemptHeader = "X-Ffrtmp-Log-Attempt" // number of the attempt whose log the answer is
	LogOffsetHeader  = "X-Ffrtmp-Log-Offset"  // bytes of the attempt's log before the answer's
)
