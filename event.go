package ffrtmp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// EventType is the kind of an event, such as job.started.
type EventType string

// Event types. Each is a change of the replicated state.
const (
	JobSubmitted  EventType = "job.submitted"
	JobStarted    EventType = "job.started" // claimed by a node
	JobPublishing EventType = "job.publishing"
	JobPaused     EventType = "job.paused"
	JobResumed    EventType = "job.resumed"
	JobRetrying   EventType = "job.retrying"  // an attempt failed; another will follow
	JobLost       EventType = "job.lost"      // an attempt's lease expired
	JobRecovered  EventType = "job.recovered" // the node of a lost attempt has reclaimed it
	JobCompleted  EventType = "job.completed"
	JobFailed     EventType = "job.failed"
	JobCanceled   EventType = "job.canceled"
	JobChanged    EventType = "job.changed"  // queue, priority, labels or max_retries of a pending job
	JobRequeued   EventType = "job.requeued" // a user has retried a failed or canceled job

	NodeRegistered EventType = "node.registered"
	NodeWentOff    EventType = "node.offline"
	NodeCameBack   EventType = "node.online"
	NodeRemoved    EventType = "node.removed"
	NodeAdmitted   EventType = "node.eligible"
	NodeCordoned   EventType = "node.cordoned"
	NodeDraining   EventType = "node.draining"

	// BackupFailed says that scheduled backups have begun to fail.
	BackupFailed EventType = "backup.failed"
	// StateDiffers says that masters have different states, StateRebuilt that one has copied the leader's.
	StateDiffers EventType = "state.differs"
	StateRebuilt EventType = "state.rebuilt"

	// JobProgress is the live progress of a running job, for those who ask for it: no change of the replicated
	// state, and without an id. It is not one of EventTypes.
	JobProgress EventType = "job.progress"

	// Restored is the event of a restored backup: read all jobs again. The stream continues behind it.
	Restored EventType = "restored"
)

// EventTypes lists every type of event that has an id.
var EventTypes = []EventType{
	JobSubmitted, JobStarted, JobPublishing, JobPaused, JobResumed, JobRetrying, JobLost, JobRecovered, JobCompleted,
	JobFailed, JobCanceled, JobChanged, JobRequeued,
	NodeRegistered, NodeWentOff, NodeCameBack, NodeRemoved, NodeAdmitted, NodeCordoned, NodeDraining,
	Restored, BackupFailed, StateDiffers, StateRebuilt,
}

// Valid reports whether t is one of EventTypes.
func (t EventType) Valid() bool { return slices.Contains(EventTypes, t) }

// OfJob reports whether events of this type are about a job. Of the others, those that
// are not OfMaster are about a node.
func (t EventType) OfJob() bool { return strings.HasPrefix(string(t), "job.") }

// OfMaster reports whether events of this type say that something is wrong with a master.
func (t EventType) OfMaster() bool {
	return t == BackupFailed || t == StateDiffers || t == StateRebuilt
}

// EventID orders all events: the Raft index of the entry that caused the event, and the event's
// number within that entry, from 0. The events after an id are the same on every master.
type EventID struct {
	Index uint64
	N     uint32
}

// String formats the id as INDEX.N, the form used by the API.
func (id EventID) String() string { return fmt.Sprintf("%d.%d", id.Index, id.N) }

// Before reports whether id comes before other.
func (id EventID) Before(other EventID) bool {
	return id.Index < other.Index || id.Index == other.Index && id.N < other.N
}

// ParseEventID parses INDEX.N, or INDEX alone, such as the index of a write, which stands for
// the last event of that entry.
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

// Event is a change of a job or a node, or a fault of a master. Index and N are its EventID; Time is UTC.
type Event struct {
	Index          uint64        `json:"index"`
	N              uint32        `json:"n"`
	Time           time.Time     `json:"time"`
	Type           EventType     `json:"type"`
	JobID          string        `json:"job_id,omitempty"`
	SequenceNumber uint64        `json:"sequence_number,omitempty"`
	Attempt        int           `json:"attempt,omitempty"`        // number of the job's latest attempt
	NodeID         string        `json:"node_id,omitempty"`        // node of the attempt, or the node that changed
	Retry          int           `json:"retry,omitempty"`          // number of the retry that follows, from 1
	FailureReason  FailureReason `json:"failure_reason,omitempty"` // why the attempt failed

	// Of an event that is OfMaster.
	Master  string `json:"master,omitempty"` // its name
	Message string `json:"message,omitempty"`

	// Of JobProgress only, whose Index and N are 0.
	Progress int       `json:"progress,omitempty"` // percent
	Detail   *Progress `json:"progress_detail,omitempty"`
}

// ProgressEvent is the live progress of a running attempt, as GET /events?progress=true sends it.
type ProgressEvent struct {
	Time           time.Time `json:"time"` // when the leader received it
	Type           EventType `json:"type"` // JobProgress
	JobID          string    `json:"job_id"`
	SequenceNumber uint64    `json:"sequence_number"`
	Attempt        int       `json:"attempt"`
	NodeID         string    `json:"node_id"`
	Progress       int       `json:"progress"` // percent
	Detail         *Progress `json:"progress_detail,omitempty"`
}

// LiveProgress is the response of GET /jobs/progress.
type LiveProgress struct {
	Jobs []ProgressEvent `json:"jobs"` // by sequence number
}

// ID returns the event's id.
func (e Event) ID() EventID { return EventID{e.Index, e.N} }
