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
	greetingTimeout = 5 * time.Second
	greetingLimit   = 4 << 10
)

// greeting is the first thing on a Raft connection, from the dialer to the
// listener; a farewell or an empty welcome comes back. TLS has shown by then
// that both are masters of a cluster of this name. The greeting shows that
// they are of the same cluster, and that the listener is still the member that
// the dialer takes it for.
type greeting struct {
	Cluster string  `json:"cluster_id"`
	From    string  `json:"from"`
	To      string  `json:"to"`
	Address address `json:"address"` // where From can be dialed
}

// welcome answers a greeting.
type welcome struct {
	Refused string `json:"refused,omitempty"`
}

// greet introduces the dialer. It returns an error when the listener refuses.
func greet(conn net.Conn, g greeting) error {
	if err := conn.SetDeadline(time.Now().Add(greetingTimeout)); err != nil {
		return err
	}
	if err := writeFrame(conn, g); err != nil {
		return fmt.Errorf("greet %s: %w", g.To, err)
	}
	var w welcome
	if err := readFrame(conn, &w); err != nil {
		return fmt.Errorf("greet %s: %w", g.To, err)
	}
	if w.Refused != "" {
		return fmt.Errorf("%s refused the connection: %s", g.To, w.Refused)
	}
	return conn.SetDeadline(time.Time{})
}

// receive reads a greeting and answers with what check says of it.
func receive(conn net.Conn, check func(greeting) error) (greeting, error) {
	var g greeting
	if err := conn.SetDeadline(time.Now().Add(greetingTimeout)); err != nil {
		return g, err
	}
	if err := readFrame(conn, &g); err != nil {
		return g, fmt.Errorf("greeting: %w", err)
	}
	if err := check(g); err != nil {
		return g, errors.Join(err, writeFrame(conn, welcome{Refused: err.Error()}))
	}
	if err := writeFrame(conn, welcome{}); err != nil {
		return g, fmt.Errorf("greeting: %w", err)
	}
	return g, conn.SetDeadline(time.Time{})
}

// writeFrame sends v as JSON behind its length.
func writeFrame(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	_, err = w.Write(append(frame, body...))
	return err
}

// readFrame undoes writeFrame and reads no byte more.
func readFrame(r io.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > greetingLimit {
		return fmt.Errorf("%d bytes are too long", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}
