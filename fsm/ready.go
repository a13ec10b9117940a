package fsm

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ffrtmp/ffrtmp"
)

// classKey determines which nodes may run a job: its requirements as JSON and the
// nodes it avoids as text, both as in the database, and the media roots of its files.
type classKey struct {
	requires, avoid string
	input, output   string // the deepest declared root that contains the file; "/" if none does, "" if any may
}

// class has the jobs of one key. Claiming checks the first job of each class, so a job
// that no node can run does not block others.
type class struct {
	key      classKey
	requires *ffrtmp.Requires
	avoid    []int64            // keys of nodes, ascending
	users    int                // active jobs; a class without any is deleted
	heaps    [ffrtmp.Ranks]heap // by sequence number

	fits  map[int64]bool // by node, valid at epoch
	epoch uint64
}

// ready holds every pending job: the claimable ones by class and rank, the delayed ones
// by their time.
type ready struct {
	classes map[classKey]*class
	ranks   [ffrtmp.Ranks][]*class // classes with a job of that rank, in no order
	delayed heap                   // by when they may be claimed
	count   int                    // of jobs that may be claimed now
}

func newReady() ready {
	return ready{classes: map[classKey]*class{}}
}

// class returns the class of a key, and creates it if it is new.
func (r *ready) class(key classKey) (*class, error) {
	if c, ok := r.classes[key]; ok {
		return c, nil
	}
	c := &class{key: key}
	if key.requires != "" {
		c.requires = &ffrtmp.Requires{}
		if err := json.Unmarshal([]byte(key.requires), c.requires); err != nil {
			return nil, fmt.Errorf("requirements: %w", err)
		}
	}
	if key.avoid != "" {
		for node := range strings.SplitSeq(key.avoid, ",") {
			n, err := strconv.ParseInt(node, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("avoided nodes: %w", err)
			}
			c.avoid = append(c.avoid, n)
		}
	}
	r.classes[key] = c
	return c, nil
}

// release ends a job's use of its class.
func (r *ready) release(c *class) {
	if c.users--; c.users == 0 {
		delete(r.classes, c.key)
	}
}

// avoiding returns the key of the class that also avoids a node.
func (c *class) avoiding(node int64) classKey {
	if slices.Contains(c.avoid, node) {
		return c.key
	}
	avoid := append(slices.Clone(c.avoid), node)
	slices.Sort(avoid)
	words := make([]string, len(avoid))
	for i, n := range avoid {
		words[i] = strconv.FormatInt(n, 10)
	}
	key := c.key
	key.avoid = strings.Join(words, ",")
	return key
}

func (r *ready) push(j *activeJob, now int64) {
	if j.notBefore > now {
		r.delayed.push(j, j.notBefore)
		return
	}
	r.count++
	h := &j.class.heaps[j.rank]
	if len(*h) == 0 {
		r.ranks[j.rank] = append(r.ranks[j.rank], j.class)
	}
	h.push(j, int64(j.seq))
}

func (r *ready) remove(j *activeJob) {
	if j.heap == nil {
		return
	}
	if j.heap != &r.delayed {
		r.count--
		if len(*j.heap) == 1 {
			i := slices.Index(r.ranks[j.rank], j.class)
			r.ranks[j.rank] = slices.Delete(r.ranks[j.rank], i, i+1)
		}
	}
	j.heap.remove(j)
}

// due makes delayed jobs claimable whose time has come.
func (r *ready) due(now int64) {
	for j := r.delayed.first(); j != nil && j.notBefore <= now; j = r.delayed.first() {
		r.delayed.remove(j)
		r.push(j, now)
	}
}

// next returns the next job for the node, or nil.
func (s *state) next(n *node) *activeJob {
	for rank := range s.ready.ranks {
		var best *activeJob
		for _, c := range s.ready.ranks[rank] { // in no order: sequence numbers differ
			if j := c.heaps[rank].first(); (best == nil || j.seq < best.seq) && s.fits(n, c) {
				best = j
			}
		}
		if best != nil {
			return best
		}
	}
	return nil
}

// has reports whether next would find a job for the node at the time now.
func (s *state) has(n *node, now int64) bool {
	for rank := range s.ready.ranks {
		for _, c := range s.ready.ranks[rank] {
			if s.fits(n, c) {
				return true
			}
		}
	}
	found := false
	s.ready.delayed.until(now, func(j *activeJob) bool { found = s.fits(n, j.class); return !found })
	return found
}

// fits reports whether the node may run jobs of the class. It caches the answer until a
// node changes.
func (s *state) fits(n *node, c *class) bool {
	if c.epoch != s.nodes.epoch || c.fits == nil {
		c.fits, c.epoch = map[int64]bool{}, s.nodes.epoch
	}
	fits, ok := c.fits[n.Key]
	if !ok {
		switch {
		case c.requires.Unmet(&n.Node.Node) != "":
		case !n.reaches(c):
			fits = !s.reachable(c)
		default:
			fits = !slices.Contains(c.avoid, n.Key) || !s.elsewhere(c)
		}
		c.fits[n.Key] = fits
	}
	return fits
}

// elsewhere reports whether another node, which the class does not avoid, could run it.
func (s *state) elsewhere(c *class) bool {
	reachable := s.reachable(c)
	for key, n := range s.nodes.byKey {
		if n.usable() && !slices.Contains(c.avoid, key) && c.requires.Unmet(&n.Node.Node) == "" &&
			(n.reaches(c) || !reachable) {
			return true
		}
	}
	return false
}
