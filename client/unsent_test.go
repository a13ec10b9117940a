package client_test

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
)

// A write to a master that never finishes the TLS handshake has certainly changed nothing.
func TestUnsent_HandshakeTimeout(t *testing.T) {
	listener := listen(t)
	c := dial(t, client.Config{
		Masters:   []string{"https://" + listener.Addr().String()},
		Transport: &http.Transport{TLSHandshakeTimeout: 10 * time.Millisecond},
		Patience:  time.Nanosecond,
	})
	_, err := c.Submit(within(t, time.Minute), ffrtmp.Spec{})
	var unavailable *client.UnavailableError
	if !errors.As(err, &unavailable) {
		t.Errorf("got %T %v, want an UnavailableError", err, err)
	}
}

// A request that net/http sends again on its own may have been executed by the first connection, although the second
// was refused.
func TestUnsent_ConnectionLost(t *testing.T) {
	listener := listen(t)
	served := make(chan error, 1)
	go func() { served <- answerOnce(listener) }()
	c := dial(t, client.Config{Masters: []string{"http://" + listener.Addr().String()}, Patience: time.Nanosecond})
	if _, err := c.Job(within(t, time.Minute), "a"); err != nil {
		t.Fatal(err)
	}
	_, err := c.Submit(within(t, time.Minute), ffrtmp.Spec{})
	var unknown *client.UnknownOutcomeError
	if !errors.As(err, &unknown) {
		t.Errorf("got %T %v, want an UnknownOutcomeError", err, err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// answerOnce is a master that answers one request, reads another one and dies.
func answerOnce(listener net.Listener) error {
	conn, err := listener.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	if _, err := http.ReadRequest(in); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")); err != nil {
		return err
	}
	if _, err := http.ReadRequest(in); err != nil {
		return err
	}
	return listener.Close()
}

// listen returns a listener on the loopback interface. The kernel accepts its connections.
func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // a test may have closed it
	return listener
}
