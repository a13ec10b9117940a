package fsm

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// Actor is who issued a command, for the audit log.
type Actor struct {
	Principal string // id of a key, or the bootstrap key's name; "": not audited
	Source    string // address of the client
	RequestID string
}

type actorKey struct{}

// WithActor returns a context whose commands are audited, in the transaction that
// applies them.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

func actorOf(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// auditable is a command that is recorded in the audit log.
type auditable interface {
	// audit describes the command after it was applied or rejected.
	audit(t *tx) entry
}

// entry describes a command in the audit log.
type entry struct{ action, target, detail string }

// auditKept is the minimum age of a removed audit record.
const auditKept = 366 * 24 * time.Hour

// Each insert removes up to two expired records: the log shrinks when activity does, at a
// constant cost for each record.
var (
	insertAudit = store.Prepared(`INSERT INTO audit (log_index, n, time, principal, key_name, source, request_id,
	action,
	target, detail, outcome)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	deleteAudit = store.Prepared(`DELETE FROM audit WHERE (log_index, n) IN
	(SELECT log_index, n FROM audit WHERE time < ? ORDER BY time, log_index, n LIMIT 2)`)
)

// Outcomes in the audit log, beside error codes.
const (
	outcomeOK        = "ok"
	outcomeRequested = "requested" // the outcome is not known here
)

// record adds the nth command of the entry at index to the audit log, rejected or not.
// A replayed request is not recorded twice.
func (t *tx) record(index uint64, n int, c *enveloped, result any) {
	if c.actor.Principal == "" {
		return
	}
	command, ok := c.command.(auditable)
	if !ok {
		return
	}
	outcome := outcomeOK
	switch r := result.(type) {
	case *ffrtmp.Error:
		outcome = string(r.Code)
	case Done:
		if r.Replayed {
			return
		}
	case Imported:
		if r.Replayed {
			return
		}
	case audited:
		outcome = outcomeRequested
	}
	name := ""
	if k, ok := t.keys[c.actor.Principal]; ok {
		name = k.Name
	}
	e := command.audit(t)
	t.exec(insertAudit, int64(index), int64(n), t.now, c.actor.Principal, name, c.actor.Source, c.actor.RequestID,
		e.action, e.target, e.detail, outcome)
	t.exec(deleteAudit, t.now-int64(auditKept))
}

// note audits an operation that does not change the state.
type note struct {
	v1
	action, target string
}

// audited is the result of a note.
type audited struct{}

func (*note) kind() Kind          { return KindNote }
func (c *note) encode(e *encoder) { e.string(c.action); e.string(c.target) }
func decodeNote(d *decoder) command {
	return &note{action: d.string(), target: d.string()}
}
func (*note) apply(*tx) any     { return audited{} }
func (c *note) audit(*tx) entry { return entry{action: c.action, target: c.target} }

// jobTarget returns the job's id.
func (t *tx) jobTarget(seq uint64) string {
	if j, err := t.find(seq); err == nil {
		return j.id.String()
	}
	return strconv.FormatUint(seq, 10)
}

// details joins names and non-empty values.
func details(pairs ...string) string {
	var list []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			list = append(list, pairs[i]+"="+pairs[i+1])
		}
	}
	return strings.Join(list, " ")
}

// Note audits an operation that does not change the state.
func (p *Proposer) Note(ctx context.Context, action, target string) (uint64, error) {
	c := newNote(p.opts.Level(), note{action: action, target: target})
	index, _, err := propose[audited](ctx, p, Idempotency{}, c)
	return index, err
}
