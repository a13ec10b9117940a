package cluster

import "testing"

// Raft hands every caller the same slice: what a caller does to its own must not reach another's.
func TestNode_ServersAreACopy(t *testing.T) {
	t.Parallel()
	m := startSolo(t)
	mine := m.servers()
	mine[0].ID = "changed"
	if got := m.servers()[0].ID; string(got) != m.ID() {
		t.Errorf("got server %q, want %q", got, m.ID())
	}
}
