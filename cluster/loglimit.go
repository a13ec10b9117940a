package cluster

import (
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// limitInterval is how long a warning is suppressed after it was logged.
	limitInterval = 30 * time.Second
	// limitKeys bounds the warnings that are tracked.
	limitKeys = 256
)

// limitedLogger logs a warning or error about the same thing once per interval
// and counts the others. Raft contacts a member that is down several times a
// second and logs each failure.
type limitedLogger struct {
	hclog.Logger
	now func() time.Time

	mu   sync.Mutex
	said map[string]*repetition
}

type repetition struct {
	at   time.Time
	kept int // back since then
}

func limitLog(log hclog.Logger) *limitedLogger {
	return &limitedLogger{Logger: log, now: time.Now, said: make(map[string]*repetition)}
}

// Warn implements hclog.Logger.
func (d *limitedLogger) Warn(msg string, args ...any) { d.once(d.Logger.Warn, msg, args) }

// Error implements hclog.Logger.
func (d *limitedLogger) Error(msg string, args ...any) { d.once(d.Logger.Error, msg, args) }

func (d *limitedLogger) once(say func(string, ...any), msg string, args []any) {
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
func (d *limitedLogger) due(msg string, args []any) (kept int, ok bool) {
	key := msg
	if len(args) > 1 {
		key += fmt.Sprint("\x00", args[1])
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	r := d.said[key]
	if r != nil && now.Sub(r.at) < limitInterval {
		r.kept++
		return 0, false
	}
	if r != nil {
		kept = r.kept
	}
	if len(d.said) >= limitKeys {
		clear(d.said)
	}
	d.said[key] = &repetition{at: now}
	return kept, true
}
