package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// world is a set of formations that talk over a network which loses questions.
type world struct {
	rng     *rand.Rand
	masters map[string]*formation
	sees    map[string][]string
	formed  map[string]string             // cluster id by master that has history
	configs map[string]raft.Configuration // what was bootstrapped, by cluster id
	twice   bool
}

func newWorld(seed uint64, expect int, sees map[string][]string) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 0)), sees: sees,
		masters: make(map[string]*formation), formed: make(map[string]string),
		configs: make(map[string]raft.Configuration),
	}
	for id := range sees {
		f := &formation{id: id, expect: expect, storage: &storage{}, log: hclog.NewNullLogger()}
		f.history = func() bool { return w.formed[id] != "" }
		f.bootstrap = func(c raft.Configuration) error {
			if _, ok := w.configs[f.held.ClusterID]; ok {
				w.twice = true
			}
			w.configs[f.held.ClusterID] = c
			for _, s := range c.Servers { // replication is immediate here
				w.formed[string(s.ID)] = f.held.ClusterID
			}
			return nil
		}
		f.ask = func(_ context.Context, to string, p *bootstrapVote) (bootstrapVote, error) {
			if w.rng.IntN(4) == 0 {
				return bootstrapVote{}, errors.New("lost")
			}
			if p == nil {
				return w.masters[to].current(), nil
			}
			held, err := w.masters[to].consider(*p)
			if w.rng.IntN(4) == 0 {
				return bootstrapVote{}, errors.New("answer lost")
			}
			return held, err
		}
		w.masters[id] = f
	}
	return w
}

func (w *world) step(t *testing.T, id string) {
	t.Helper()
	var view []gossipMember
	for _, other := range w.sees[id] {
		m := gossipMember{ID: other}
		m.Expect, m.Formed = w.masters[other].expect, w.formed[other] != ""
		view = append(view, m)
	}
	if err := w.masters[id].step(t.Context(), view, true); err != nil {
		t.Fatal(err)
	}
}

// Whatever is lost and whoever moves first, overlapping sets of masters
// bootstrap one cluster, once, with members that are promised to it.
func TestOverlappingSetsBootstrapOnce(t *testing.T) {
	views := map[string]map[string][]string{
		"one set":               {"a": {"a", "b", "c"}, "b": {"a", "b", "c"}, "c": {"a", "b", "c"}},
		"two overlapping":       {"a": {"a", "b", "c"}, "b": {"b", "c", "d"}, "c": {"a", "b", "c", "d"}, "d": {"b", "c", "d"}},
		"each misses another":   {"a": {"a", "c", "d"}, "b": {"a", "b", "d"}, "c": {"b", "c", "d"}, "d": {"a", "b", "c", "d"}},
		"five, expecting three": {"a": {"a", "d", "e"}, "b": {"b", "c", "d"}, "c": {"a", "c", "e"}, "d": {"b", "d", "e"}, "e": {"a", "b", "c", "d", "e"}},
	}
	for name, sees := range views {
		t.Run(name, func(t *testing.T) {
			ids := make([]string, 0, len(sees))
			for id := range sees {
				ids = append(ids, id)
			}
			slices.Sort(ids)
			for seed := range uint64(500) {
				w := newWorld(seed, 3, sees)
				for i := 0; i < 2000 && len(w.configs) == 0; i++ {
					w.step(t, ids[w.rng.IntN(len(ids))])
				}
				for range 200 { // and nothing more comes of going on
					w.step(t, ids[w.rng.IntN(len(ids))])
				}
				if err := w.check(); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
		})
	}
}

func (w *world) check() error {
	if len(w.configs) != 1 || w.twice {
		return fmt.Errorf("%d clusters formed (one of them twice: %v), want one", len(w.configs), w.twice)
	}
	for cluster, config := range w.configs {
		if len(config.Servers) != 3 {
			return fmt.Errorf("bootstrapped with %d masters", len(config.Servers))
		}
		for _, s := range config.Servers {
			if held := w.masters[string(s.ID)].clusterID(); held != cluster {
				return fmt.Errorf("%s is a member of %s and promised to %q", s.ID, cluster, held)
			}
		}
	}
	return nil
}

func TestPromiseOutlivesARestart(t *testing.T) {
	s := &storage{path: t.TempDir()}
	open := func() *formation {
		f, err := openFormation(s, "b", 3, hclog.NewNullLogger())
		if err != nil {
			t.Fatal(err)
		}
		f.history = func() bool { return false }
		return f
	}
	first := bootstrapVote{ClusterID: "one", Proposer: "a", Expect: 3}
	if _, err := open().consider(first); err != nil {
		t.Fatal(err)
	}
	held, err := open().consider(bootstrapVote{ClusterID: "two", Proposer: "d", Expect: 3})
	if !errors.Is(err, errVoteHeld) || held != first {
		t.Errorf("after a restart the master holds %+v (%v), want %+v", held, err, first)
	}
}

func TestConsider(t *testing.T) {
	ask := bootstrapVote{ClusterID: "asked", Proposer: "m", Expect: 3}
	formed := ask
	formed.Formed = true
	tests := []struct {
		name    string
		held    bootstrapVote
		history bool
		expect  int
		asked   bootstrapVote
		refused bool
	}{
		{name: "free", expect: 3, asked: ask},
		{name: "the same again", expect: 3, held: ask, asked: ask},
		{name: "expects another number", expect: 5, asked: ask, refused: true},
		{name: "join only, by a proposer", asked: ask, refused: true},
		{name: "join only, by a leader", asked: formed},
		{name: "promised to another", expect: 3, held: bootstrapVote{ClusterID: "x", Proposer: "b"}, asked: ask, refused: true},
		{name: "promised to another, by a leader", expect: 3, held: bootstrapVote{ClusterID: "x", Proposer: "b"}, asked: formed, refused: true},
		{name: "own proposal, smaller proposer", expect: 3, held: bootstrapVote{ClusterID: "x", Proposer: "self"}, asked: ask},
		{name: "own proposal, larger proposer", expect: 3, held: bootstrapVote{ClusterID: "x", Proposer: "self"}, asked: bootstrapVote{ClusterID: "asked", Proposer: "z", Expect: 3}, refused: true},
		{name: "own proposal, by a leader", expect: 3, held: bootstrapVote{ClusterID: "x", Proposer: "self"}, asked: bootstrapVote{ClusterID: "asked", Proposer: "z", Formed: true}},
		{name: "history in another cluster", expect: 3, held: bootstrapVote{ClusterID: "x", Proposer: "b"}, history: true, asked: formed, refused: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &formation{
				id: "self", expect: tt.expect, storage: &storage{}, held: tt.held,
				log: hclog.NewNullLogger(), history: func() bool { return tt.history },
			}
			_, err := f.consider(tt.asked)
			if errors.Is(err, errVoteHeld) != tt.refused || err != nil && !tt.refused {
				t.Errorf("error %v, refused: want %v", err, tt.refused)
			}
			if took := f.held.ClusterID == tt.asked.ClusterID; took == tt.refused {
				t.Errorf("holds %q afterwards", f.held.ClusterID)
			}
		})
	}
}
