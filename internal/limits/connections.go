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

// Connections bounds those of a server, so that clients cannot use up the files that the rest of the process needs. A
// new connection beyond the bound takes the place of the one that has been idle longest; if none is idle, it is closed.
// Its methods may be called from any goroutine.
type Connections struct {
	max int

	mu     sync.Mutex
	open   map[net.Conn]*list.Element // nil: it has a request under way
	idle   *list.List                 // of net.Conn, the longest idle first
	closed uint64
}

// Bound bounds the connections of a server that does not serve yet.
func Bound(s *http.Server, limit int) *Connections {
	c := &Connections{max: limit, open: map[net.Conn]*list.Element{}, idle: list.New()}
	s.ConnState = c.changed
	return c
}

// HalfOfFiles is half as many connections as the process may have files.
func HalfOfFiles() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("limit of open files: %w", err)
	}
	return int(min(limit.Cur, 1<<30) / 2), nil
}

// Open is how many connections there are.
func (c *Connections) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// Closed is how many connections were closed to stay within the bound.
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
			c.makeRoom(conn)
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

// makeRoom closes the connection that has been idle longest, or the newcomer. The server notices and forgets it.
func (c *Connections) makeRoom(newcomer net.Conn) {
	victim := newcomer
	if e := c.idle.Front(); e != nil {
		victim, _ = c.idle.Remove(e).(net.Conn)
		c.open[victim] = nil
	}
	c.closed++
	if secure, ok := victim.(*tls.Conn); ok {
		victim = secure.NetConn() // whose Close does not wait for the peer
	}
	_ = victim.Close() // whatever became of it, it is not ours any more
}
