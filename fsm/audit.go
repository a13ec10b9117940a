package fsm

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// Actor is who asks for a command, for the audit log.
type Actor struct {
	Principal string // id of a key, or the bootstrap key's name; "": not audited
	Source    string // address of the client
	RequestID string
}

type actorKey struct{}

// WithActor returns a context under which commands are audited: what is proposed
// with it is recorded in the transaction that carries it out.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

func actorOf(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// auditable are the commands that are recorded in the audit log.
type auditable interface {
	// audit describes the command after it has been applied or refused.
	audit(t *tx) entry
}

// entry is what the audit log says of a command.
type entry struct{ action, target, detail string }

// auditKept is how long the audit log is kept, at least.
const auditKept = 366 * 24 * time.Hour

// Each new record takes the place of up to two that need not be kept any longer: so
// the log shrinks when less happens than a year ago, and no record costs much.
var (
	insertAudit = store.Prepared(`INSERT INTO audit (log_index, n, time, principal, key_name, source, request_id,
	action,
	target, detail, outcome)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	deleteAudit = store.Prepared(`DELETE FROM audit WHERE (log_index, n) IN
	(SELECT log_index, n FROM audit WHERE time < ? ORDER BY time, log_index, n LIMIT 2)`)
)

// Outcomes in the audit log, beside the codes of refusals.
const (
	outcomeOK        = "ok"
	outcomeRequested = "requested" // it is not known here what became of it
)

// record puts the nth command of the entry with this index into the audit log,
// refusals included. What was answered from the record of an earlier request is not
// recorded twice.
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

// note records what is not a change of the state.
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

// jobTarget names a job as users do.
func (t *tx) jobTarget(seq uint64) string {
	if j, err := t.find(seq); err == nil {
		return j.id.String()
	}
	return strconv.FormatUint(seq, 10)
}

// details joins what is not empty: names and values in turn.
func details(pairs ...string) string {
	var list []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			list = append(list, pairs[i]+"="+pairs[i+1])
		}
	}
	return strings.Join(list, " ")
}

// Note records in the audit log what is asked for but is no change of the state.
func (p *Proposer) Note(ctx context.Context, action, target string) (uint64, error) {
	index, _, err := propose[audited](ctx, p, Idempotency{}, &note{action: action, target: target})
	return index, err
}
