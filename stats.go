package ffrtmp

import "time"

// Stats is the response of GET /stats: what happened to jobs in a window, from the events of the last 24 hours.
type Stats struct {
	From        time.Time                `json:"from"`
	To          time.Time                `json:"to"`
	StepSeconds int                      `json:"step_seconds"` // of a bucket
	Complete    bool                     `json:"complete"`     // false: this master still reads older events; ask again
	Jobs        map[Status]map[Queue]int `json:"jobs"`         // that exist now
	Totals      StatsBucket              `json:"totals"`       // of the window
	Failures    map[FailureReason]int    `json:"failures"`     // failed attempts of the window
	PerMinute   map[string]float64       `json:"per_minute"`   // submitted, started, completed and failed
	Buckets     []StatsBucket            `json:"buckets"`      // the oldest first
}

// StatsBucket is what happened in a part of the window.
type StatsBucket struct {
	Time      time.Time   `json:"time"` // its start
	Submitted int         `json:"submitted"`
	Started   int         `json:"started"` // attempts
	Completed int         `json:"completed"`
	Failed    int         `json:"failed"`
	Canceled  int         `json:"canceled"`
	Retried   int         `json:"retried"` // attempts that failed and were followed by another
	Lost      int         `json:"lost"`    // attempts whose lease expired
	Wait      Percentiles `json:"wait"`    // from submission to the first attempt, of jobs that started
	Run       Percentiles `json:"run"`     // of the last attempt, of jobs that completed
}

// Percentiles are of times in seconds, at most a fifth too high.
type Percentiles struct {
	Count int     `json:"count"` // of times
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
}
