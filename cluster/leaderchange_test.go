package cluster

import (
	"fmt"
	"testing"
)

// The latest changes are kept, the newest first; what changes nothing is none.
func TestLeadership_History(t *testing.T) {
	l := newLeadership("a", func(bool) {})
	for _, id := range []string{"a", "a", "", "b"} {
		l.setLeader(id)
	}
	var got []string
	for _, c := range l.history() {
		got = append(got, c.Leader)
		if c.Time.IsZero() {
			t.Errorf("got no time of %q, want one", c.Leader)
		}
	}
	if want := "[b  a]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	for i := range 200 {
		l.setLeader(fmt.Sprint(i))
	}
	if h := l.history(); len(h) != maxLeaderChanges || h[0].Leader != "199" {
		t.Errorf("got %d changes, the newest %v, want %d up to 199", len(h), h[0], maxLeaderChanges)
	}
}
