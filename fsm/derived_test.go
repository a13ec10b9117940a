package fsm

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// derived formats everything that a state keeps in memory, in a fixed order, and
// reports contradictions.
func (s *state) derived() string {
	var b strings.Builder
	fmt.Fprintf(&b, "meta %+v\n", s.meta)
	classes := map[classKey]int{}
	waiting := 0
	for _, seq := range slices.Sorted(maps.Keys(s.jobs)) {
		j := s.jobs[seq]
		classes[j.class.key]++
		node, place := "", "none"
		if j.node != nil {
			node = j.node.ID
		}
		switch {
		case j.heap == &s.ready.delayed:
			place = "delayed"
		case j.heap != nil && j.heap == &j.class.heaps[j.rank]:
			place = "ready"
			waiting++
			if !slices.Contains(s.ready.ranks[j.rank], j.class) {
				place = "in a class that its rank does not know"
			}
		case j.heap != nil:
			place = "in a foreign heap"
		}
		if j.heap != nil && (*j.heap)[j.at].job != j {
			place += ", in another's place"
		}
		fmt.Fprintf(&b, "job %d %s %s hold %d rank %d class %q attempt %d node %s lease %x "+
			"started %d timeout %d at %d not before %d retries %d/%d losses %d: %s\n",
			j.seq, j.id, j.status, j.hold, j.rank, j.class.key, j.attempt, node, j.lease, j.startedAt, j.timeout,
			j.timeoutAt,
			j.notBefore, j.retries, j.maxRetries, j.losses, place)
	}
	for _, seq := range slices.Sorted(maps.Keys(s.jobs)) {
		for j := s.outputs[s.jobs[seq].output]; j != nil; j = j.sameOutput {
			fmt.Fprintf(&b, "job %d shares its output with job %d, %v\n", seq, j.seq, s.jobs[j.seq] == j)
		}
	}
	fmt.Fprintf(&b, "%d outputs, %d with sidecars\n", len(s.outputs), len(s.sidecars))
	fmt.Fprintf(&b, "media roots %v\n", s.mediaRoots.nodes)
	for _, seq := range slices.Sorted(maps.Keys(s.jobs)) {
		if d := s.jobs[seq].dirs; d != nil {
			shared := s.mediaRoots.jobs[*d]
			fmt.Fprintf(&b, "job %d has files in %+v, as %d jobs, shared %v\n", seq, *d, shared.jobs, d == &shared.dirs)
		}
	}
	fmt.Fprintf(&b, "%d directories\n", len(s.mediaRoots.jobs))
	fmt.Fprintf(&b, "ready %d of %d\n", s.ready.count, waiting)
	for status, n := range s.active {
		fmt.Fprintf(&b, "%s %d\n", store.StatusCodes[status], n)
	}
	for _, key := range slices.SortedFunc(maps.Keys(s.ready.classes), func(x, y classKey) int {
		return cmp.Or(cmp.Compare(x.requires, y.requires), cmp.Compare(x.avoid, y.avoid), cmp.Compare(x.input, y.input),
			cmp.Compare(x.output, y.output))
	}) {
		fmt.Fprintf(&b, "class %q users %d of %d\n", key, s.ready.classes[key].users, classes[key])
	}
	for rank, known := range s.ready.ranks {
		for _, c := range known {
			if len(c.heaps[rank]) == 0 {
				fmt.Fprintf(&b, "rank %d knows an empty class\n", rank)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.nodes.byKey)) {
		n := s.nodes.byKey[key]
		fmt.Fprintf(&b, "node %d %+v offline %v removed %v held %d attempts %v by address %v\n",
			n.Key, n.Node, n.Offline, n.Removed, n.held, slices.Sorted(maps.Keys(n.attempts)),
			s.nodes.byAddress[n.Address] == n)
	}
	for _, id := range slices.Sorted(maps.Keys(s.keys)) {
		fmt.Fprintf(&b, "key %+v\n", *s.keys[id])
	}
	for _, id := range slices.SortedFunc(maps.Keys(s.requests), func(x, y store.RequestID) int {
		return bytes.Compare(x[:], y[:])
	}) {
		fmt.Fprintf(&b, "request %x in row %d\n", id, s.requests[id])
	}
	for seq := range s.meta.NextSeq {
		if ch, i := s.columns.at(seq); ch != nil && ch.place[i] != 0 {
			fmt.Fprintf(&b, "columns of job %d: place %d progress %d node %d scenario %d created %d labels %d\n",
				seq, ch.place[i], ch.progress[i], ch.node[i], ch.scenario[i], ch.created[i],
				ch.labels[ch.start(i):ch.ends[i]])
		}
	}
	return b.String()
}

// checkDerived compares memory with that of a fresh start from the database.
func (c *cluster) checkDerived() {
	c.Helper()
	c.settle()
	fresh, err := openState(c.fsm.state.Path())
	if err != nil {
		c.Fatal(err)
	}
	for fresh.columns.low > 0 {
		if err := fresh.columns.loadNext(fresh.DB); err != nil {
			c.Fatal(err)
		}
	}
	<-c.fsm.state.columns.loaded
	for _, k := range c.fsm.state.keys {
		if p, ok := c.fsm.Credential(k.ID); !ok || p.Hash != k.hash || (p.Live.Err() == nil) != k.RevokedAt.IsZero() {
			c.Fatalf("published of key %s: %+v", k.ID, p)
		}
	}
	if got := len(c.fsm.Keys()); got != len(c.fsm.state.keys) {
		c.Fatalf("got %d published keys, want %d", got, len(c.fsm.state.keys))
	}
	have, want := c.fsm.state.derived(), fresh.derived()
	if err := fresh.Close(); err != nil {
		c.Fatal(err)
	}
	if have != want {
		c.Fatalf("memory differs from the database:\n%s\nthe database says:\n%s", have, want)
	}
}
