package leader

import (
	"container/list"
	"sync"
)

// waiters are the claims that wait for work, longest waiting first. New work wakes only as
// many of them as there are jobs, or one job would cost thousands of proposals. The zero
// value is ready to use.
type waiters struct {
	mu     sync.Mutex
	idlers list.List // of *waiter
	active int       // woken, and not yet done with their claim
}

// waiter is one waiting claim: idle, active, or neither.
type waiter struct {
	node      string
	wake      chan struct{} // holds one token
	dismissed chan struct{} // closed to end it without work
	at        *list.Element // its position among the idle ones, or nil
	active    bool
}

func newWaiter(nodeID string) *waiter {
	return &waiter{node: nodeID, wake: make(chan struct{}, 1), dismissed: make(chan struct{})}
}

// idle makes w wakeable. Its owner must then check for work once more, because work may have
// arrived just before. idle reports whether w was active: another waiter may then take the work
// that w was woken for.
func (ws *waiters) idle(w *waiter) (wasActive bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	wasActive = ws.take(w)
	w.at = ws.idlers.PushBack(w)
	return wasActive
}

// claiming makes w active: its owner is about to claim.
func (ws *waiters) claiming(w *waiter) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.take(w)
	w.active = true
	ws.active++
}

// leave removes w, and reports whether it was active.
func (ws *waiters) leave(w *waiter) (wasActive bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return ws.take(w)
}

func (ws *waiters) take(w *waiter) (wasActive bool) {
	if w.at != nil {
		ws.idlers.Remove(w.at)
		w.at = nil
	}
	if wasActive = w.active; wasActive {
		w.active = false
		ws.active--
	}
	return wasActive
}

// dismiss ends the waiting claims of nodes.
func (ws *waiters) dismiss(nodes map[string]bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	var next *list.Element
	for e := ws.idlers.Front(); e != nil; e = next {
		next = e.Next()
		w := e.Value.(*waiter) //nolint:errcheck // the list has no other type
		if nodes[w.node] {
			ws.take(w)
			close(w.dismissed)
		}
	}
}

// wake wakes idle waiters whose nodes can run a job, up to one active waiter a job.
func (ws *waiters) wake(jobs int, usable func(nodeID string) bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	var next *list.Element
	for e := ws.idlers.Front(); e != nil && ws.active < jobs; e = next {
		next = e.Next()
		w := e.Value.(*waiter) //nolint:errcheck // the list has no other type
		if !usable(w.node) {
			continue
		}
		ws.take(w)
		w.active = true
		ws.active++
		select {
		case w.wake <- struct{}{}:
		default: // it has not received its last token yet
		}
	}
}
