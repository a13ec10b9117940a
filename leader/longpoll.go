package leader

import (
	"container/list"
	"sync"
)

// waiters are the claims that wait for work, longest waiting first. New work wakes
// as many of them as there are jobs for, never all: thousands of idle agents must
// not come running for one job. The zero value is ready to use.
type waiters struct {
	mu      sync.Mutex
	resting list.List // of *waiter
	looking int       // taken from the rest, and not yet done with their claim
}

// waiter is one waiting claim. It rests, looks for work, or neither.
type waiter struct {
	node      string
	wake      chan struct{} // holds one token
	dismissed chan struct{} // closed when it is to end without work
	at        *list.Element // its place among the resting, or nil
	looking   bool
}

func newWaiter(nodeID string) *waiter {
	return &waiter{node: nodeID, wake: make(chan struct{}, 1), dismissed: make(chan struct{})}
}

// rest puts w among those that work may wake. To miss none, its owner looks for
// work once more after that. It reports whether w was looking: the work that it
// was woken for may then be another's.
func (ws *waiters) rest(w *waiter) (looked bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	looked = ws.take(w)
	w.at = ws.resting.PushBack(w)
	return looked
}

// look counts w among those that are about to claim.
func (ws *waiters) look(w *waiter) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.take(w)
	w.looking = true
	ws.looking++
}

// leave ends w's part, and reports whether it was looking.
func (ws *waiters) leave(w *waiter) (looked bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return ws.take(w)
}

func (ws *waiters) take(w *waiter) (looked bool) {
	if w.at != nil {
		ws.resting.Remove(w.at)
		w.at = nil
	}
	if looked = w.looking; looked {
		w.looking = false
		ws.looking--
	}
	return looked
}

// dismiss ends the claims of nodes that wait.
func (ws *waiters) dismiss(nodes map[string]bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	var next *list.Element
	for e := ws.resting.Front(); e != nil; e = next {
		next = e.Next()
		w := e.Value.(*waiter) //nolint:errcheck // nothing else is in it
		if nodes[w.node] {
			ws.take(w)
			close(w.dismissed)
		}
	}
}

// rouse wakes resting waiters, as long as there are more jobs than claims that
// look for them, whose nodes can use one.
func (ws *waiters) rouse(jobs int, usable func(nodeID string) bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	var next *list.Element
	for e := ws.resting.Front(); e != nil && ws.looking < jobs; e = next {
		next = e.Next()
		w := e.Value.(*waiter) //nolint:errcheck // nothing else is in it
		if !usable(w.node) {
			continue
		}
		ws.take(w)
		w.looking = true
		ws.looking++
		select {
		case w.wake <- struct{}{}:
		default: // it has a token that it has not seen yet
		}
	}
}
