package ffrtmp

// Origin is the request that brought a job: what logs and traces know it by.
type Origin struct {
	RequestID   string `json:"request_id,omitempty"`  // X-Request-Id of the submission
	Traceparent string `json:"traceparent,omitempty"` // W3C Trace Context, the parent of the attempts' spans
}
