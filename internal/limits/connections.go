package limits

import (
	"container/list"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync"
	"syscall"
)

// Connections limits the connections of a server, so that clients cannot exhaust the process's file descriptors. At the
// limit a new connection replaces the longest idle one; when none is idle, the new one is closed. It is safe for
// concurrent use.
type Connections struct {
	max int

	mu     sync.Mutex
	open   map[net.Conn]*list.Element // nil while it serves a request
	idle   *list.List                 // of net.Conn, the longest idle first
	closed uint64
}

// Bound limits the connections of a server. Call it before the server serves.
func Bound(s *http.Server, limit int) *Connections {
	c := &Connections{max: limit, open: map[net.Conn]*list.Element{}, idle: list.New()}
	s.ConnState = c.changed
	return c
}

// HalfOfFiles is half the process's limit of open files.
func HalfOfFiles() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("limit of open files: %w", err)
	}
	return int(min(limit.Cur, 1<<30) / 2), nil
}

// Open is the number of open connections.
func (c *Connections) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// Closed is the number of connections closed because of the limit.
func (c *Connections) Closed() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// changed is the server's ConnState. A connection that has not sent a request counts as idle.
func (c *Connections) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.open[conn]; e != nil {
		c.idle.Remove(e)
		c.open[conn] = nil
	}
	switch state {
	case http.StateNew:
		if len(c.open) >= c.max {
			c.evict(conn)
		}
		c.open[conn] = c.idle.PushBack(conn)
	case http.StateIdle:
		c.open[conn] = c.idle.PushBack(conn)
	case http.StateActive:
		c.open[conn] = nil
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	}
}

// evict closes the longest idle connection, or the new one. The server notices and removes it.
func (c *Connections) evict(newcomer net.Conn) {
	victim := newcomer
	if e := c.idle.Front(); e != nil {
		victim, _ = c.idle.Remove(e).(net.Conn)
		c.open[victim] = nil
	}
	c.closed++
	if secure, ok := victim.(*tls.Conn); ok {
		victim = secure.NetConn() // whose Close does not wait for the peer
	}
	_ = victim.Close() // an error changes nothing: the connection is given up
}
