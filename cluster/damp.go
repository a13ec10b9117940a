package cluster

import (
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// dampFor is how long a warning is not repeated.
	dampFor = 30 * time.Second
	// dampKeys bounds the warnings that are remembered.
	dampKeys = 256
)

// dampedLogger says a warning or error about the same thing once in a while
// and counts the others. Raft tries a member that is down several times a
// second and complains each time.
type dampedLogger struct {
	hclog.Logger
	now func() time.Time

	mu   sync.Mutex
	said map[string]*repetition
}

type repetition struct {
	at   time.Time
	kept int // back since then
}

func damp(log hclog.Logger) *dampedLogger {
	return &dampedLogger{Logger: log, now: time.Now, said: make(map[string]*repetition)}
}

// Warn implements hclog.Logger.
func (d *dampedLogger) Warn(msg string, args ...any) { d.once(d.Logger.Warn, msg, args) }

// Error implements hclog.Logger.
func (d *dampedLogger) Error(msg string, args ...any) { d.once(d.Logger.Error, msg, args) }

func (d *dampedLogger) once(say func(string, ...any), msg string, args []any) {
	kept, ok := d.due(msg, args)
	if !ok {
		return
	}
	if kept > 0 {
		args = append(args[:len(args):len(args)], "repeated", kept)
	}
	say(msg, args...)
}

// due reports whether the warning is to be said, and how often it was not since
// the last time. What it is about is its text and its first value, which Raft
// makes the peer.
func (d *dampedLogger) due(msg string, args []any) (kept int, ok bool) {
	key := msg
	if len(args) > 1 {
		key += fmt.Sprint("\x00", args[1])
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	r := d.said[key]
	if r != nil && now.Sub(r.at) < dampFor {
		r.kept++
		return 0, false
	}
	if r != nil {
		kept = r.kept
	}
	if len(d.said) >= dampKeys {
		clear(d.said)
	}
	d.said[key] = &repetition{at: now}
	return kept, true
}
