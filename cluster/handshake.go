package cluster

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"time"
)

const (
	helloTimeout = 5 * time.Second
	helloLimit   = 4 << 10
)

// hello is the first message on a Raft connection, from the dialer to the
// listener, which answers with an ack. TLS has shown by then that both are
// masters of a cluster of this name. The hello shows that they are members of
// the same cluster, and that the listener is still the member that the dialer
// expects.
type hello struct {
	Cluster string  `json:"cluster_id"`
	From    string  `json:"from"`
	To      string  `json:"to"`
	Address address `json:"address"` // where From can be dialed
	self
}

// self is what both sides say of themselves, and of each other.
type self struct {
	// Run is random: it tells one process from another with the same identity.
	Run string `json:"run"`
	// Index is the last entry of this side, Acknowledged what it knows the other to have.
	Index        uint64 `json:"index"`
	Acknowledged uint64 `json:"acknowledged"`
}

// ack answers a hello.
type ack struct {
	Refused string `json:"refused,omitempty"` // why the connection is refused
	// Twin is where another process with the dialer's identity is running.
	Twin string `json:"twin,omitempty"`
	// Removed says that the dialer is no member any more.
	Removed bool `json:"removed,omitempty"`
	self
}

// sendHello introduces the dialer. It returns an error when the listener refuses,
// or check its answer.
func sendHello(conn net.Conn, h hello, check func(ack) error) error {
	if err := conn.SetDeadline(time.Now().Add(helloTimeout)); err != nil {
		return err
	}
	if err := writeFrame(conn, h); err != nil {
		return fmt.Errorf("hello to %s: %w", h.To, err)
	}
	var a ack
	if err := readFrame(conn, &a); err != nil {
		return fmt.Errorf("hello to %s: %w", h.To, err)
	}
	if err := check(a); err != nil {
		return fmt.Errorf("hello to %s: %w", h.To, err)
	}
	if a.Refused != "" {
		return fmt.Errorf("hello to %s: refused: %s", h.To, a.Refused)
	}
	return conn.SetDeadline(time.Time{})
}

// receiveHello reads a hello and answers with the verdict of check.
func receiveHello(conn net.Conn, check func(hello) (ack, error)) (hello, error) {
	var h hello
	if err := conn.SetDeadline(time.Now().Add(helloTimeout)); err != nil {
		return h, err
	}
	if err := readFrame(conn, &h); err != nil {
		return h, fmt.Errorf("read hello: %w", err)
	}
	answer, err := check(h)
	if err != nil {
		answer.Refused = err.Error()
		return h, errors.Join(err, writeFrame(conn, answer))
	}
	if err := writeFrame(conn, answer); err != nil {
		return h, fmt.Errorf("answer hello: %w", err)
	}
	return h, conn.SetDeadline(time.Time{})
}

// writeFrame sends v as JSON after its length.
func writeFrame(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	_, err = w.Write(append(frame, body...))
	return err
}

// readFrame reads what writeFrame sent and not a byte more.
func readFrame(r io.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > helloLimit {
		return fmt.Errorf("frame of %d bytes: at most %d allowed", n, helloLimit)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}

// hello introduces this master on a Raft connection to another.
func (n *Node) hello(to string) hello {
	return hello{
		Cluster: n.formation.clusterID(), From: n.id.ID, To: to, Address: *n.own.Load(), self: n.self(to),
	}
}

// self is what this master says of itself to a member.
func (n *Node) self(to string) self {
	<-n.raftOpened // Raft dials as soon as it runs
	index := n.raft.LastIndex()
	if n.storage.inMemory() {
		index = math.MaxUint64 // whoever keeps nothing has nothing to be missing
	}
	return self{Run: n.run, Index: index, Acknowledged: n.memory.acknowledged(to)}
}

// checkHello checks who connects and learns its address: a master that returns
// with another address need not wait for gossip.
func (n *Node) checkHello(h hello) (ack, error) {
	own := n.formation.clusterID()
	switch {
	case h.To != n.id.ID:
		return ack{}, fmt.Errorf("this is %s, not %s", n.id.ID, h.To)
	case own == "" || h.Cluster != own:
		return ack{}, fmt.Errorf("cluster id %q is not this master's", h.Cluster)
	}
	if n.isRemoved(h.From) {
		return n.refuseRemoved(h.From)
	}
	answer := ack{self: n.self(h.From)}
	if at, found := n.runsElsewhere(n.ctx, h.From, h.Run, h.Address.Peer); found {
		answer.Twin = at
		return answer, fmt.Errorf("the identity %s is in use at %s", h.From, at)
	}
	if err := n.compare(h.From, h.Address.Peer, h.self); err != nil {
		return answer, err
	}
	n.book.replace(h.From, h.Address)
	return answer, nil
}

// checkAck checks the answer of the member that was dialed at an address.
func (n *Node) checkAck(id, peer string, a ack) error {
	if a.Twin != "" {
		err := &TwinError{ID: n.id.ID, Address: a.Twin}
		n.withdraw(err)
		return err
	}
	if a.Removed {
		n.removed()
		return ErrRemoved
	}
	if a.Run == "" {
		return nil // it refuses this master before it has said more
	}
	return n.compare(id, peer, a.self)
}

// compare compares what both masters have with what they remember of each other. The
// one that has less than it had acknowledged must not vote.
func (n *Node) compare(id, peer string, other self) error {
	if own := n.self(id); other.Acknowledged > own.Index {
		err := &RolledBackError{By: id, Index: own.Index, Acknowledged: other.Acknowledged}
		n.rolledBack(err)
		return err
	}
	if missing := n.memory.meet(id, other.Run, peer, other.Index); missing > 0 {
		n.log.Error("a master is refused: its data is an old copy, and it has lost acknowledged entries",
			"id", id, "name", n.nameOf(id), "address", peer, "index", other.Index,
			"acknowledged", missing, "lost", missing-other.Index)
		return fmt.Errorf("master %s ends at entry %d but had acknowledged entry %d", n.named(id), other.Index, missing)
	}
	return nil
}

// rolledBack remembers that this master's data is an old copy, so that it never votes
// with it again.
func (n *Node) rolledBack(err error) {
	id := n.id
	id.Lost = err.Error()
	if saveErr := n.storage.save(identityFile, id); saveErr != nil {
		err = errors.Join(err, saveErr)
	}
	n.withdraw(err)
}

// withdraw cuts this master off from the others and ends it.
func (n *Node) withdraw(err error) {
	n.stream.block(err)
	n.fail(err)
}
