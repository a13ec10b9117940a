package ffrtmp

// Origin identifies the request that submitted a job, for logs and traces.
type Origin struct {
	RequestID   string `json:"request_id,omitempty"`  // X-Request-Id of the submission
	Traceparent string `json:"traceparent,omitempty"` // W3C Trace Context, the parent of the attempts' spans
}
