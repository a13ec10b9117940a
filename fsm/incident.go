package fsm

import (
	"context"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// incident publishes an event about a master.
type incident struct {
	v1
	what            ffrtmp.EventType // OfMaster
	master, message string
}

func (*incident) kind() Kind { return KindIncident }

func (c *incident) encode(e *encoder) {
	e.uint(uint64(store.Code(eventCodes, c.what)))
	e.string(c.master)
	e.string(c.message)
}

func decodeIncident(d *decoder) command {
	c := &incident{what: eventCodes[d.code(len(eventCodes))], master: d.string(), message: d.string()}
	if !c.what.OfMaster() {
		d.fail()
	}
	return c
}

func (c *incident) apply(t *tx) any {
	t.event(c.what, nil)
	t.events.string(c.master)
	t.events.string(c.message)
	return Done{}
}

// maxMessage bounds the text of an event.
const maxMessage = 1000

// Report publishes an event about a master, by its name.
func (p *Proposer) Report(ctx context.Context, what ffrtmp.EventType, master, message string) error {
	message = strings.ToValidUTF8(message[:min(len(message), maxMessage)], "")
	_, _, err := propose[Done](ctx, p, Idempotency{}, &incident{what: what, master: master, message: message})
	return err
}
