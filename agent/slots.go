package agent

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// maxRemembered bounds the ended attempts that are remembered: an answer that was
// already on its way may still hand one out.
const maxRemembered = 1024

// slots holds the node's attempts.
type slots struct {
	mu       sync.Mutex
	size     int
	held     map[attemptID]*attempt
	ended    []attemptID
	released chan struct{} // closed and replaced when an attempt leaves
}

func newSlots(size int) *slots {
	return &slots{size: size, held: map[attemptID]*attempt{}, released: make(chan struct{})}
}

func (s *slots) add(at *attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[at.attemptID] = at
}

func (s *slots) remove(at *attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, at.attemptID)
	s.ended = append(s.ended, at.attemptID)
	if len(s.ended) > maxRemembered {
		s.ended = slices.Delete(s.ended, 0, len(s.ended)-maxRemembered)
	}
	close(s.released)
	s.released = make(chan struct{})
	close(at.gone)
}

// get returns nil for an unknown attempt.
func (s *slots) get(id attemptID) *attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[id]
}

// known reports whether the attempt is or recently was in a slot.
func (s *slots) known(id attemptID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[id] != nil || slices.Contains(s.ended, id)
}

// all returns the attempts in a stable order.
func (s *slots) all() []*attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*attempt
	for _, at := range s.held {
		list = append(list, at)
	}
	slices.SortFunc(list, func(a, b *attempt) int { return strings.Compare(a.String(), b.String()) })
	return list
}

// wait returns the number of free slots once there is one.
func (s *slots) wait(ctx context.Context) (int, error) {
	return s.until(ctx, func(held int) bool { return held < s.size })
}

// drained returns once all slots are free.
func (s *slots) drained(ctx context.Context) error {
	_, err := s.until(ctx, func(held int) bool { return held == 0 })
	return err
}

func (s *slots) until(ctx context.Context, enough func(held int) bool) (free int, err error) {
	for {
		s.mu.Lock()
		held, released := len(s.held), s.released
		s.mu.Unlock()
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if enough(held) {
			return s.size - held, nil
		}
		select {
		case <-released:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}
