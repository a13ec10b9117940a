package cluster

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
}

// ack answers a hello.
type ack struct {
	Refused string `json:"refused,omitempty"` // why the connection is refused
}

// sendHello introduces the dialer. It returns an error when the listener refuses.
func sendHello(conn net.Conn, h hello) error {
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
	if a.Refused != "" {
		return fmt.Errorf("hello to %s: refused: %s", h.To, a.Refused)
	}
	return conn.SetDeadline(time.Time{})
}

// receiveHello reads a hello and answers with the verdict of check.
func receiveHello(conn net.Conn, check func(hello) error) (hello, error) {
	var h hello
	if err := conn.SetDeadline(time.Now().Add(helloTimeout)); err != nil {
		return h, err
	}
	if err := readFrame(conn, &h); err != nil {
		return h, fmt.Errorf("read hello: %w", err)
	}
	if err := check(h); err != nil {
		return h, errors.Join(err, writeFrame(conn, ack{Refused: err.Error()}))
	}
	if err := writeFrame(conn, ack{}); err != nil {
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
