package ffrtmp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// EventType says what has happened to a job or a node.
type EventType string

// The types of events, each a change of the replicated state.
const (
	JobSubmitted  EventType = "job.submitted"
	JobStarted    EventType = "job.started" // a node has claimed it
	JobPublishing EventType = "job.publishing"
	JobPaused     EventType = "job.paused"
	JobResumed    EventType = "job.resumed"
	JobRetrying   EventType = "job.retrying"  // an attempt has failed, and another one will follow
	JobLost       EventType = "job.lost"      // an attempt is over without having failed: its node is gone
	JobRecovered  EventType = "job.recovered" // a lost attempt goes on: its node has come back in time
	JobCompleted  EventType = "job.completed"
	JobFailed     EventType = "job.failed"
	JobCanceled   EventType = "job.canceled"
	JobChanged    EventType = "job.changed"  // queue, priority, labels or retries of a pending job
	JobRequeued   EventType = "job.requeued" // a job that was over is to run again, as its user wishes

	NodeRegistered EventType = "node.registered"
	NodeWentOff    EventType = "node.offline"
	NodeCameBack   EventType = "node.online"
	NodeRemoved    EventType = "node.removed"
	NodeAdmitted   EventType = "node.eligible"
	NodeCordoned   EventType = "node.cordoned"
	NodeDraining   EventType = "node.draining"
)

// EventTypes lists every type of event.
var EventTypes = []EventType{
	JobSubmitted, JobStarted, JobPublishing, JobPaused, JobResumed, JobRetrying, JobLost, JobRecovered, JobCompleted, JobFailed,
	JobCanceled, JobChanged, JobRequeued,
	NodeRegistered, NodeWentOff, NodeCameBack, NodeRemoved, NodeAdmitted, NodeCordoned, NodeDraining,
}

// Valid reports whether t is one of EventTypes.
func (t EventType) Valid() bool { return slices.Contains(EventTypes, t) }

// OfJob reports whether events of the type are about a job; the others are about a
// node.
func (t EventType) OfJob() bool { return strings.HasPrefix(string(t), "job.") }

// EventID is an event's place in the one order of all events: the Raft index of
// the entry that made it, and its number within that entry, from 0. What follows
// an id is the same on every master.
type EventID struct {
	Index uint64
	N     uint32
}

// String is the id as clients know it: INDEX.N.
func (id EventID) String() string { return fmt.Sprintf("%d.%d", id.Index, id.N) }

// Before reports whether id comes before other.
func (id EventID) Before(other EventID) bool {
	return id.Index < other.Index || id.Index == other.Index && id.N < other.N
}

// ParseEventID reads an id. INDEX alone, such as that of a write, is the end of its
// entry.
func ParseEventID(s string) (EventID, error) {
	index, n, whole := strings.Cut(s, ".")
	id := EventID{N: 1<<32 - 1}
	var err error
	if id.Index, err = strconv.ParseUint(index, 10, 63); err != nil {
		return EventID{}, fmt.Errorf("%q is not INDEX.N", s)
	}
	if whole {
		number, err := strconv.ParseUint(n, 10, 32)
		if err != nil {
			return EventID{}, fmt.Errorf("%q is not INDEX.N", s)
		}
		id.N = uint32(number)
	}
	return id, nil
}

// Event is a change of a job or of a node.
type Event struct {
	Index          uint64        `json:"index"`
	N              uint32        `json:"n"`
	Time           time.Time     `json:"time"`
	Type           EventType     `json:"type"`
	JobID          string        `json:"job_id,omitempty"`
	SequenceNumber uint64        `json:"sequence_number,omitempty"`
	Attempt        int           `json:"attempt,omitempty"`        // of the job, so far
	NodeID         string        `json:"node_id,omitempty"`        // of the attempt, or the node itself
	Retry          int           `json:"retry,omitempty"`          // number of the retry that follows
	FailureReason  FailureReason `json:"failure_reason,omitempty"` // of what has failed
}

// ID is the event's place in the order of events.
func (e Event) ID() EventID { return EventID{e.Index, e.N} }
