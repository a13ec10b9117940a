package fsm

import (
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// register adds or updates a node.
type register struct {
	v1
	id   string // of a new node: an agent's own, or generated for a v2.2 node
	node ffrtmp.Registration
}

func (*register) kind() Kind { return KindRegister }

func (c *register) encode(e *encoder) {
	e.string(c.id)
	encodeRegistration(e, &c.node)
}

func encodeRegistration(e *encoder, n *ffrtmp.Registration) {
	e.texts(n.NodeID, n.Name, n.Address, n.Type)
	e.int(int64(n.CPUThreads))
	e.string(n.CPUModel)
	e.bool(n.HasGPU)
	e.string(n.GPUType)
	e.strings(n.GPUCapabilities)
	e.int(n.RAMTotalBytes)
	e.string(store.Marshal(n.Labels, len(n.Labels) == 0))
	e.int(int64(n.MaxConcurrentJobs))
	e.strings(n.Encoders)
	e.strings(n.MediaRoots)
	e.string(n.Version)
}

func decodeRegister(d *decoder) command {
	c := &register{id: d.string()}
	decodeRegistration(d, &c.node)
	return c
}

func decodeRegistration(d *decoder, n *ffrtmp.Registration) {
	d.texts(&n.NodeID, &n.Name, &n.Address, &n.Type)
	n.CPUThreads = int(d.int())
	n.CPUModel = d.string()
	n.HasGPU = d.bool()
	n.GPUType = d.string()
	n.GPUCapabilities = d.strings()
	n.RAMTotalBytes = d.int()
	if err := store.Unmarshal(d.string(), &n.Labels); err != nil && d.err == nil {
		d.err = err
	}
	n.MaxConcurrentJobs = int(d.int())
	n.Encoders = d.strings()
	n.MediaRoots = d.strings()
	n.Version = d.string()
}

// Registered is the result of a registration.
type Registered struct {
	Node ffrtmp.Node
	New  bool
	Lost []store.AttemptID // attempts of a v2.2 node, which registers after a restart
}

func (c *register) apply(t *tx) any {
	legacy := c.node.NodeID == ""
	n, known := c.find(t)
	var result Registered
	switch {
	case !known:
		n = t.nodes.make(c.id)
		result.New = true
	case legacy:
		result.Lost = t.expireAll(n)
	}
	if !known || n.Removed {
		result.New = true
		n.Removed = false
		n.place(ffrtmp.Eligible, time.Time{})
		n.RegisteredAt = time.Unix(0, t.now).UTC()
	}
	if n.Legacy {
		delete(t.nodes.byAddress, n.Address)
	}
	t.describe(n, &c.node)
	n.Offline = false
	t.nodes.add(n)
	t.save(n)
	t.event(ffrtmp.NodeRegistered, n)
	result.Node = n.show()
	return result
}

func (c *register) replay(t *tx, _ kept) any {
	n, known := c.find(t)
	if !known || n.Removed {
		return ffrtmp.Errorf(ffrtmp.NotFound, "node registered by this request was removed")
	}
	return Registered{Node: n.show()}
}

// describe copies a registration into the node.
func (t *tx) describe(n *node, r *ffrtmp.Registration) {
	t.declare(n, r.MediaRoots)
	n.Name, n.Address, n.Type = r.Name, r.Address, r.Type
	n.CPUThreads, n.CPUModel = r.CPUThreads, r.CPUModel
	n.HasGPU, n.GPUType, n.GPUCapabilities = r.HasGPU, r.GPUType, r.GPUCapabilities
	n.RAMTotalBytes, n.Labels = r.RAMTotalBytes, r.Labels
	n.MaxConcurrentJobs, n.Encoders = r.MaxConcurrentJobs, r.Encoders
	n.Version, n.Legacy = r.Version, r.NodeID == ""
}

// find returns the node that registers, if it is known: one of v2.2 by its address.
func (c *register) find(t *tx) (*node, bool) {
	if c.node.NodeID == "" {
		n, known := t.nodes.byAddress[c.node.Address]
		return n, known
	}
	n, known := t.nodes.byID[c.id]
	return n, known
}

// save writes a node and its heartbeat time.
func (t *tx) save(n *node) {
	n.LastHeartbeat = time.Unix(0, t.now).UTC()
	t.write(n)
}

// write writes a node to the database.
func (t *tx) write(n *node) {
	t.nodes.epoch++
	t.wake = true
	if t.err == nil {
		t.err = t.PutNode(&n.Node)
	}
}

// expireAll ends every attempt of the node, sealed ones included. None can be
// reclaimed.
func (t *tx) expireAll(n *node) []store.AttemptID {
	var lost []store.AttemptID
	for _, j := range n.sorted() {
		if j.hold == store.HoldLost {
			t.releaseLost(j)
			continue
		}
		lost = append(lost, store.AttemptID{Seq: j.seq, Attempt: int(j.attempt)})
		t.expire(j, false)
	}
	return lost
}

// releaseLost makes a lost attempt stale: its node cannot reclaim it.
func (t *tx) releaseLost(j *activeJob) {
	t.change(j, j.status, store.HoldNone)
	t.exec(updateHold, int64(store.HoldNone), int64(j.seq))
}

var updateHold = store.Prepared(`UPDATE job_state SET hold = ? WHERE seq = ?`)

// eligibility sets whether a node gets new attempts.
type eligibility struct {
	v1
	node  string
	value ffrtmp.Eligibility
	after int64 // ns until what a draining node still runs is requeued; 0: never
}

func (*eligibility) kind() Kind { return KindEligibility }

func (c *eligibility) encode(e *encoder) {
	e.string(c.node)
	e.uint(uint64(store.Code(store.EligibilityCodes, c.value)))
	e.int(c.after)
}

func decodeEligibility(d *decoder) command {
	c := &eligibility{node: d.string(), value: store.EligibilityCodes[d.code(len(store.EligibilityCodes))]}
	c.after = d.int()
	return c
}

var eligibilityEvents = map[ffrtmp.Eligibility]ffrtmp.EventType{
	ffrtmp.Eligible: ffrtmp.NodeAdmitted, ffrtmp.Cordoned: ffrtmp.NodeCordoned, ffrtmp.Draining: ffrtmp.NodeDraining,
}

func (c *eligibility) apply(t *tx) any {
	n, err := t.nodes.find(c.node)
	if err != nil {
		return err
	}
	until := time.Time{}
	if c.after > 0 {
		until = time.Unix(0, t.now+c.after).UTC()
	}
	if n.Eligibility != c.value {
		t.event(eligibilityEvents[c.value], n)
	}
	n.place(c.value, until)
	t.write(n)
	return Done{}
}

// placements are the audit actions of eligibility changes.
var placements = map[ffrtmp.Eligibility]string{
	ffrtmp.Draining: "node.drain", ffrtmp.Cordoned: "node.cordon",
	ffrtmp.Eligible: "node.uncordon",
}

func (c *eligibility) audit(*tx) entry {
	deadline := ""
	if c.after > 0 {
		deadline = time.Duration(c.after).String()
	}
	return entry{placements[c.value], c.node, details("deadline", deadline)}
}

// removeNode removes a node. One with attempts needs force; they are then lost and
// cannot be reclaimed.
type removeNode struct {
	v1
	node  string
	force bool
}

func (*removeNode) kind() Kind            { return KindRemoveNode }
func (c *removeNode) encode(e *encoder)   { e.string(c.node); e.bool(c.force) }
func decodeRemoveNode(d *decoder) command { return &removeNode{node: d.string(), force: d.bool()} }

func (c *removeNode) apply(t *tx) any {
	n, err := t.nodes.find(c.node)
	if err != nil {
		return err
	}
	if n.held > 0 && !c.force {
		return ffrtmp.Errorf(ffrtmp.Conflict, "cannot remove node %s: it is running %d attempts", n.ID, n.held)
	}
	lost := t.expireAll(n)
	n.Removed = true
	if n.Legacy {
		delete(t.nodes.byAddress, n.Address)
	}
	t.save(n)
	t.event(ffrtmp.NodeRemoved, n)
	return Changed{Attempts: lost}
}

func (c *removeNode) audit(*tx) entry {
	force := ""
	if c.force {
		force = "true"
	}
	return entry{"node.remove", c.node, details("force", force)}
}

// liveness sets whether nodes are offline.
type liveness struct {
	v1
	nodes   []string
	offline bool
}

func (*liveness) kind() Kind { return KindLiveness }

func (c *liveness) encode(e *encoder) {
	e.strings(c.nodes)
	e.bool(c.offline)
}

func decodeLiveness(d *decoder) command { return &liveness{nodes: d.strings(), offline: d.bool()} }

func (c *liveness) apply(t *tx) any {
	done := Done{}
	for _, id := range c.nodes {
		if n, err := t.nodes.find(id); err == nil && t.setOffline(n, c.offline) {
			done.Count++
		}
	}
	return done
}

// setOffline reports whether it changed the node.
func (t *tx) setOffline(n *node, offline bool) bool {
	if n.Offline == offline {
		return false
	}
	n.Offline = offline
	t.save(n)
	what := ffrtmp.NodeCameBack
	if offline {
		what = ffrtmp.NodeWentOff
	}
	t.event(what, n)
	return true
}
