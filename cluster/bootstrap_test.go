package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// lossyNetwork is a set of formations whose requests and answers get lost.
type lossyNetwork struct {
	rng     *rand.Rand
	masters map[string]*formation
	sees    map[string][]string
	formed  map[string]string             // cluster id by master that has history
	configs map[string]raft.Configuration // bootstrapped configuration by cluster id
	twice   bool
}

func newLossyNetwork(t *testing.T, seed uint64, expect int, sees map[string][]string) *lossyNetwork {
	w := &lossyNetwork{
		rng: rand.New(rand.NewPCG(seed, 0)), sees: sees,
		masters: make(map[string]*formation), formed: make(map[string]string),
		configs: make(map[string]raft.Configuration),
	}
	for id := range sees {
		w.masters[id] = openTestFormation(t, &storage{}, formationConfig{
			id: id, expect: expect, ask: w.ask,
			history:   func() (bool, error) { return w.formed[id] != "", nil },
			bootstrap: func(c raft.Configuration) error { w.bootstrap(id, c); return nil },
		})
	}
	return w
}

func openTestFormation(t *testing.T, s *storage, c formationConfig) *formation {
	t.Helper()
	c.log = hclog.NewNullLogger()
	c.claim.ID = c.id
	f, err := openFormation(s, c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// bootstrap replicates the configuration at once.
func (w *lossyNetwork) bootstrap(id string, c raft.Configuration) {
	cluster := w.masters[id].held.ClusterID
	_, exists := w.configs[cluster]
	w.twice = w.twice || exists
	w.configs[cluster] = c
	for _, s := range c.Servers {
		w.formed[string(s.ID)] = cluster
	}
}

func (w *lossyNetwork) ask(_ context.Context, to string, vote *bootstrapVote) (bootstrapVote, error) {
	if w.rng.IntN(4) == 0 {
		return bootstrapVote{}, errors.New("lost")
	}
	if vote == nil {
		return w.masters[to].current(), nil
	}
	held, err := w.masters[to].consider(*vote)
	if w.rng.IntN(4) == 0 {
		return bootstrapVote{}, errors.New("answer lost")
	}
	return held, err
}

func (w *lossyNetwork) step(t *testing.T, id string) {
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

func (w *lossyNetwork) check() error {
	if len(w.configs) != 1 || w.twice {
		return fmt.Errorf("got %d clusters (one twice: %v), want 1", len(w.configs), w.twice)
	}
	for cluster, config := range w.configs {
		if len(config.Servers) != 3 {
			return fmt.Errorf("bootstrapped with %d masters, want 3", len(config.Servers))
		}
		for _, s := range config.Servers {
			if held := w.masters[string(s.ID)].clusterID(); held != cluster {
				return fmt.Errorf("vote of %s: got %q, want %s", s.ID, held, cluster)
			}
		}
	}
	return nil
}

// Whatever is lost and whoever moves first, overlapping sets of masters
// bootstrap one cluster, once, with members that voted for it.
func TestFormation_OverlappingSets(t *testing.T) {
	all := []string{"a", "b", "c", "d", "e"}
	views := map[string]map[string][]string{
		"one set": {"a": all[:3], "b": all[:3], "c": all[:3]},
		"two overlapping": {
			"a": {"a", "b", "c"}, "b": {"b", "c", "d"}, "c": all[:4], "d": {"b", "c", "d"},
		},
		"each misses another": {
			"a": {"a", "c", "d"}, "b": {"a", "b", "d"}, "c": {"b", "c", "d"}, "d": all[:4],
		},
		"five, expecting three": {
			"a": {"a", "d", "e"}, "b": {"b", "c", "d"}, "c": {"a", "c", "e"}, "d": {"b", "d", "e"}, "e": all,
		},
	}
	for name, sees := range views {
		t.Run(name, func(t *testing.T) {
			ids := all[:len(sees)]
			for seed := range uint64(500) {
				w := newLossyNetwork(t, seed, 3, sees)
				for i := 0; i < 2000 && len(w.configs) == 0; i++ {
					w.step(t, ids[w.rng.IntN(len(ids))])
				}
				for range 200 { // further steps must change nothing
					w.step(t, ids[w.rng.IntN(len(ids))])
				}
				if err := w.check(); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
		})
	}
}

// A vote survives a restart.
func TestFormation_VoteSurvivesRestart(t *testing.T) {
	s := &storage{path: t.TempDir()}
	config := formationConfig{id: "b", expect: 3, history: func() (bool, error) { return false, nil }}
	first := bootstrapVote{ClusterID: "one", Proposer: "a", Expect: 3}
	if _, err := openTestFormation(t, s, config).consider(first); err != nil {
		t.Fatal(err)
	}
	second := bootstrapVote{ClusterID: "two", Proposer: "d", Expect: 3}
	held, err := openTestFormation(t, s, config).consider(second)
	if !errors.Is(err, errVoteHeld) || held != first {
		t.Errorf("after a restart got %+v (%v), want %+v (%v)", held, err, first, errVoteHeld)
	}
}

// A master whose raft state cannot be read neither votes nor bootstraps.
func TestFormation_UnreadableHistory(t *testing.T) {
	f := openTestFormation(t, &storage{}, formationConfig{
		id: "a", expect: 1,
		history:   func() (bool, error) { return false, errors.New("I/O error") },
		bootstrap: func(raft.Configuration) error { t.Error("got a bootstrap, want none"); return nil },
	})
	if _, err := f.consider(bootstrapVote{ClusterID: "x", Proposer: "b", Expect: 1}); !errors.Is(err, errVoteHeld) {
		t.Errorf("consider: got %v, want %v", err, errVoteHeld)
	}
	if err := f.alone(); err != nil {
		t.Error(err)
	}
}

func TestFormation_Consider(t *testing.T) {
	ask := bootstrapVote{ClusterID: "asked", Proposer: "m", Expect: 3}
	larger := bootstrapVote{ClusterID: "asked", Proposer: "z", Expect: 3}
	formed := ask
	formed.Formed = true
	largerFormed := larger
	largerFormed.Formed = true
	other := bootstrapVote{ClusterID: "x", Proposer: "b"}
	own := bootstrapVote{ClusterID: "x", Proposer: "self"}
	tests := []struct {
		name    string
		held    bootstrapVote
		history bool
		expect  int
		asked   bootstrapVote
		refused bool
	}{
		{name: "free", expect: 3, asked: ask},
		{name: "repeated request", expect: 3, held: ask, asked: ask},
		{name: "another expected number", expect: 5, asked: ask, refused: true},
		{name: "join only, asked by a proposer", asked: ask, refused: true},
		{name: "join only, asked by a leader", asked: formed},
		{name: "voted for another", expect: 3, held: other, asked: ask, refused: true},
		{name: "voted for another, asked by a leader", expect: 3, held: other, asked: formed, refused: true},
		{name: "own proposal, smaller proposer", expect: 3, held: own, asked: ask},
		{name: "own proposal, larger proposer", expect: 3, held: own, asked: larger, refused: true},
		{name: "own proposal, asked by a leader", expect: 3, held: own, asked: largerFormed},
		{name: "history in another cluster", expect: 3, held: other, history: true, asked: formed, refused: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := openTestFormation(t, &storage{}, formationConfig{
				id: "self", expect: tt.expect, history: func() (bool, error) { return tt.history, nil },
			})
			f.held = tt.held
			_, err := f.consider(tt.asked)
			if errors.Is(err, errVoteHeld) != tt.refused || err != nil && !tt.refused {
				t.Errorf("got error %v, want refused %v", err, tt.refused)
			}
			if took := f.held.ClusterID == tt.asked.ClusterID; took == tt.refused {
				t.Errorf("afterwards: got vote for %q, want changed %v", f.held.ClusterID, !tt.refused)
			}
		})
	}
}
