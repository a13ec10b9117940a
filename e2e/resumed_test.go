package e2e

import (
	"sync"
	"syscall"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// A leader that was stopped answers no read from the state that it had before: the requests wait in its sockets, and
// the first thing that it does is to answer them.
func TestReads_ResumedLeader(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	old := s.Master(s.leader())
	w := s.wire()
	const readers = 16
	read := func(path string) []reply {
		var all sync.WaitGroup
		replies := make([]reply, readers)
		for i := range replies {
			all.Go(func() {
				r, err := w.send(t.Context(), "GET", old.URL()+path, "")
				if replies[i] = r; err != nil {
					t.Errorf("GET %s: %v", path, err)
				}
			})
		}
		all.Wait()
		return replies
	}
	read("/jobs") // opens connections
	s.must(old.Signal(syscall.SIGSTOP))
	j := s.submit(ffrtmp.Spec{Scenario: "360p"})
	answers := make(chan []reply)
	go func() { answers <- read("/jobs/" + j.ID) }()
	s.must(old.Signal(syscall.SIGCONT))
	for _, r := range <-answers {
		if r.status != 200 && r.status != 503 {
			t.Errorf("got %d %s, want the job or no answer yet", r.status, r.body)
		}
	}
}
