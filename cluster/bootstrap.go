package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

const (
	voteFile    = "cluster.json"
	callTimeout = 2 * time.Second
)

// errVoteHeld is returned to a proposer whose cluster this master will not
// join, because it has promised itself to another.
var errVoteHeld = errors.New("promised to another cluster")

// promise is the one cluster that a master gives itself to, for good once it
// has history. It is both the durable record and the question that a proposer
// asks.
type bootstrapVote struct {
	ClusterID string `json:"cluster_id,omitempty"`
	// Proposer is who made the id, and who alone may bootstrap it.
	Proposer string `json:"proposer,omitempty"`
	Expect   int    `json:"expect,omitempty"`
	// Formed says that the cluster exists: its leader asks.
	Formed bool `json:"formed,omitempty"`
}

// formation sees to it that a cluster is bootstrapped once.
//
// Of the masters in view that expect the same number, the smallest id makes a
// cluster id and asks the others to bootstrapVote themselves to it. Only with
// promises from as many as are expected does it bootstrap, with exactly these.
// Everybody promises itself to one cluster at a time and keeps the promise on
// disk, so of two overlapping sets one cannot complete. Two proposers that
// block each other are told apart by id: the larger gives its proposal up, and
// whoever had promised itself to that asks its proposer and is free again. A
// proposer never uses an id again that it gave up, and nobody else may
// bootstrap it, so a promise that is taken back cannot have mattered.
//
// A master with history never bootstraps, nor one that sees a peer with
// history; it waits for the leader to add it.
type formation struct {
	id      string
	expect  int
	storage *storage
	log     hclog.Logger
	// ask sends a promise request, or with nil asks for the promise held.
	ask func(ctx context.Context, id string, p *bootstrapVote) (bootstrapVote, error)
	// history reports whether Raft has any; bootstrap gives it its first.
	history   func() bool
	bootstrap func(raft.Configuration) error

	mu   sync.Mutex
	held bootstrapVote
}

func openFormation(s *storage, id string, expect int, log hclog.Logger) (*formation, error) {
	f := &formation{id: id, expect: expect, storage: s, log: log}
	if err := s.load(voteFile, &f.held); err != nil {
		return nil, fmt.Errorf("cluster id: %w", err)
	}
	return f, nil
}

// clusterID returns the id this master is promised to, or "".
func (f *formation) clusterID() string { return f.current().ClusterID }

// current returns the promise held; Formed says whether there is history.
func (f *formation) current() bootstrapVote {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.currentLocked()
}

func (f *formation) currentLocked() bootstrapVote {
	p := f.held
	p.Formed = f.history()
	return p
}

// expected returns the size that the cluster was formed with, as far as known.
func (f *formation) expected() int { return max(f.expect, f.current().Expect) }

// consider answers a proposer or a leader. It returns the promise held
// afterwards, with errVoteHeld when that is another than the one asked for.
func (f *formation) consider(asked bootstrapVote) (bootstrapVote, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.currentLocked()
	switch {
	case asked.ClusterID == "" || asked.Proposer == "":
		return now, errors.New("promise: cluster id or proposer is missing")
	case now.ClusterID == asked.ClusterID:
		return now, nil
	case now.Formed:
		return now, errVoteHeld
	case now.ClusterID == "":
		if !asked.Formed && asked.Expect != f.expect {
			return now, errVoteHeld
		}
	case now.Proposer != f.id:
		return now, errVoteHeld // until its proposer gives it up, see release
	case !asked.Formed && asked.Proposer > f.id:
		return now, errVoteHeld // the other proposer is the one to yield
	}
	return f.holdLocked(asked)
}

// holdLocked makes a promise durable. The zero promise gives the last one up.
func (f *formation) holdLocked(p bootstrapVote) (bootstrapVote, error) {
	p.Formed = false
	if err := f.storage.save(voteFile, p); err != nil {
		return f.currentLocked(), fmt.Errorf("cluster id: %w", err)
	}
	f.held = p
	return f.currentLocked(), nil
}

// replace exchanges the promise held, unless it is another than from by now.
func (f *formation) replace(from string, to bootstrapVote) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held.ClusterID != from || f.history() {
		return nil
	}
	_, err := f.holdLocked(to)
	return err
}

// alone bootstraps a cluster of one.
func (f *formation) alone() error {
	if f.history() {
		return nil
	}
	p := f.current()
	if p.ClusterID == "" || p.Proposer != f.id {
		p = bootstrapVote{ClusterID: uuid.NewString(), Proposer: f.id, Expect: 1}
		if err := f.replace(f.clusterID(), p); err != nil {
			return err
		}
	}
	return f.form(p.ClusterID, []string{f.id})
}

// step takes the formation as far as the view allows. It is called again when
// the view changes and from time to time.
func (f *formation) step(ctx context.Context, alive []gossipMember, triedAll bool) error {
	held := f.current()
	if held.Formed {
		return nil
	}
	mine := held.Proposer == f.id
	if held.ClusterID != "" && !mine {
		return f.release(ctx, held)
	}
	var eligible []string // by id
	for _, m := range alive {
		switch {
		case m.ID != f.id && m.Formed:
			if mine {
				f.log.Info("proposal given up: there is a cluster already", "member", m.ID)
				return f.replace(held.ClusterID, bootstrapVote{})
			}
			return nil
		case m.ID == f.id || m.Expect == f.expect:
			eligible = append(eligible, m.ID)
		}
	}
	if f.expect == 0 || len(eligible) < f.expect || !triedAll {
		return nil
	}
	if !mine {
		if eligible[0] != f.id {
			return nil
		}
		held = bootstrapVote{ClusterID: uuid.NewString(), Proposer: f.id, Expect: f.expect}
		if err := f.replace("", held); err != nil {
			return err
		}
		f.log.Info("cluster proposed", "cluster", held.ClusterID)
	}
	return f.propose(ctx, held, eligible)
}

// propose asks for promises and bootstraps when there are enough.
func (f *formation) propose(ctx context.Context, p bootstrapVote, eligible []string) error {
	servers := []string{f.id}
	for _, id := range eligible {
		if len(servers) == f.expect {
			break
		}
		if id == f.id {
			continue
		}
		other, err := f.ask(ctx, id, &p)
		switch {
		case errors.Is(err, errVoteHeld):
			if other.Formed || other.ClusterID != "" && other.Proposer < f.id {
				f.log.Info("proposal given up for another's", "member", id, "cluster", other.ClusterID)
				return f.replace(p.ClusterID, bootstrapVote{})
			}
			f.log.Debug("member is promised to another cluster", "member", id, "cluster", other.ClusterID)
		case err != nil:
			f.log.Debug("member did not answer the proposal", "member", id, "error", err)
		default:
			servers = append(servers, id)
		}
	}
	if len(servers) < f.expect {
		return nil
	}
	return f.form(p.ClusterID, servers)
}

// form bootstraps the cluster unless the proposal was given up meanwhile.
func (f *formation) form(clusterID string, servers []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held.ClusterID != clusterID || f.history() {
		return nil
	}
	var config raft.Configuration
	for _, id := range servers {
		config.Servers = append(config.Servers, raft.Server{
			Suffrage: raft.Voter, ID: raft.ServerID(id), Address: raft.ServerAddress(id),
		})
	}
	if err := f.bootstrap(config); err != nil && !errors.Is(err, raft.ErrCantBootstrap) {
		return fmt.Errorf("bootstrap: %w", err)
	}
	f.log.Info("cluster formed", "cluster", clusterID, "masters", servers)
	return nil
}

// release frees this master of a promise whose proposer no longer makes it.
func (f *formation) release(ctx context.Context, held bootstrapVote) error {
	now, err := f.ask(ctx, held.Proposer, nil)
	if err != nil {
		f.log.Debug("proposer does not answer", "proposer", held.Proposer, "error", err)
		return nil
	}
	if now.ClusterID == held.ClusterID {
		return nil
	}
	f.log.Info("free of a promise that its proposer gave up", "proposer", held.Proposer)
	return f.replace(held.ClusterID, bootstrapVote{})
}

// askPeer is formation.ask over the peer port.
func askPeer(peers *peerClient) func(context.Context, string, *bootstrapVote) (bootstrapVote, error) {
	return func(ctx context.Context, id string, p *bootstrapVote) (bootstrapVote, error) {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		if p == nil {
			var s status
			err := peers.call(ctx, id, "status", nil, &s)
			return s.BootstrapVote, err
		}
		var held bootstrapVote
		err := peers.call(ctx, id, "bootstrap-vote", p, &held)
		var answer *answerError
		if errors.As(err, &answer) && answer.Status == http.StatusConflict {
			if err := json.Unmarshal([]byte(answer.Body), &held); err != nil {
				return held, err
			}
			return held, errVoteHeld
		}
		return held, err
	}
}
