package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
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

// errVoteHeld is returned to a proposer for whose cluster this master does not
// vote, because it has voted for another.
var errVoteHeld = errors.New("bootstrap vote: given to another cluster")

// bootstrapVote names the one cluster that a master belongs to or will belong
// to; it is final once the master has history. It is both the durable record and
// the request of a proposer.
type bootstrapVote struct {
	ClusterID string `json:"cluster_id,omitempty"`
	// Proposer made the id and is the only one to bootstrap it.
	Proposer string `json:"proposer,omitempty"`
	Expect   int    `json:"expect,omitempty"`
	// Formed says that the cluster exists: its leader asks.
	Formed bool `json:"formed,omitempty"`
}

// formation bootstraps a cluster exactly once.
//
// Of the masters in view that expect the same number, the smallest id makes a
// cluster id and asks the others for their votes. Only with as many votes as
// masters are expected does it bootstrap, with exactly the voters. A master votes
// for one cluster at a time and keeps the vote on disk, so of two overlapping
// sets only one can be complete. When two proposers block each other the larger
// id withdraws its proposal; whoever voted for it asks its proposer and is free
// to vote again. A proposer never reuses an id that it withdrew, and no other
// master bootstraps that id, so a withdrawn vote has had no effect.
//
// A master with history never bootstraps, nor does one that sees a peer with
// history; it waits for the leader to add it.
type formation struct {
	formationConfig
	storage *storage

	mu     sync.Mutex
	held   bootstrapVote
	formed bool // history was seen; it never disappears
}

type formationConfig struct {
	copies raft.StableStore // keeps a copy of the vote; nil: none is kept
	id     string
	expect int
	claim  nameClaim // of this master
	log    hclog.Logger
	// ask requests a vote, or with nil asks for the vote held.
	ask func(ctx context.Context, id string, vote *bootstrapVote) (bootstrapVote, error)
	// history reports whether Raft has state; bootstrap creates it.
	history   func() (bool, error)
	bootstrap func(raft.Configuration) error
}

func openFormation(s *storage, c formationConfig) (*formation, error) {
	f := &formation{formationConfig: c, storage: s}
	if err := f.load(); err != nil {
		return nil, fmt.Errorf("bootstrap vote: %w", err)
	}
	return f, nil
}

// load reads the vote from its file, and repairs the file from the copy in the log.
func (f *formation) load() error {
	loadErr := f.storage.load(voteFile, &f.held)
	if loadErr != nil && !untrusted(loadErr) {
		return loadErr
	}
	kept, found, err := f.copied()
	if err != nil {
		return err
	}
	lost := loadErr != nil || !f.storage.has(voteFile) || f.held.ClusterID != kept.ClusterID && f.formedLocked()
	switch {
	case found && lost:
		f.log.Warn("the cluster's id is restored from the log", "file", voteFile, "cluster", kept.ClusterID)
		f.held = kept
		return f.storage.save(voteFile, kept)
	case loadErr != nil:
		return loadErr
	}
	return f.keepCopy(f.held)
}

// copied returns the copy of the vote in the log.
func (f *formation) copied() (vote bootstrapVote, found bool, err error) {
	if f.copies == nil {
		return vote, false, nil
	}
	data, err := f.copies.Get(keyBootstrap)
	if err != nil || len(data) == 0 {
		return vote, false, ignoreNotFound(err)
	}
	return vote, true, json.Unmarshal(data, &vote)
}

// keepCopy changes the copy in the log.
func (f *formation) keepCopy(vote bootstrapVote) error {
	if kept, _, err := f.copied(); err != nil || f.copies == nil || kept == vote {
		return err
	}
	data, err := json.Marshal(vote)
	if err != nil {
		return err
	}
	return f.copies.Set(keyBootstrap, data)
}

// clusterID returns the id this master has voted for, or "".
func (f *formation) clusterID() string { return f.current().ClusterID }

// current returns the vote held; Formed says whether this master has history.
func (f *formation) current() bootstrapVote {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.currentLocked()
}

func (f *formation) currentLocked() bootstrapVote {
	vote := f.held
	vote.Formed = f.formedLocked()
	return vote
}

// formedLocked reports whether this master has history. Unreadable history
// counts: such a master must not bootstrap.
func (f *formation) formedLocked() bool {
	if f.formed {
		return true
	}
	exists, err := f.history()
	if err != nil {
		f.log.Error("cannot read raft state", "error", err)
		return true
	}
	f.formed = exists
	return exists
}

// expected returns the size that the cluster was formed with, as far as known.
func (f *formation) expected() int { return max(f.expect, f.current().Expect) }

// consider answers a proposer or a leader. It returns the vote held afterwards,
// with errVoteHeld when that differs from the request.
func (f *formation) consider(asked bootstrapVote) (bootstrapVote, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.currentLocked()
	switch {
	case asked.ClusterID == "" || asked.Proposer == "":
		return now, errors.New("bootstrap vote: cluster id or proposer is missing")
	case now.ClusterID == asked.ClusterID:
		return now, nil
	case now.Formed:
		return now, errVoteHeld
	case now.ClusterID == "":
		if !asked.Formed && asked.Expect != f.expect {
			return now, errVoteHeld
		}
	case now.Proposer != f.id:
		return now, errVoteHeld // until its proposer withdraws: see release
	case !asked.Formed && asked.Proposer > f.id:
		return now, errVoteHeld // the other proposer must withdraw
	}
	return f.holdLocked(asked)
}

// holdLocked makes a vote durable. The zero vote withdraws the last one.
func (f *formation) holdLocked(vote bootstrapVote) (bootstrapVote, error) {
	vote.Formed = false
	err := f.storage.save(voteFile, vote)
	if err == nil {
		err = f.keepCopy(vote)
	}
	if err != nil {
		return f.currentLocked(), fmt.Errorf("bootstrap vote: %w", err)
	}
	f.held = vote
	return f.currentLocked(), nil
}

// replace changes the vote held, unless it is no longer the given one.
func (f *formation) replace(from string, to bootstrapVote) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held.ClusterID != from || f.formedLocked() {
		return nil
	}
	_, err := f.holdLocked(to)
	return err
}

// alone bootstraps a cluster of one.
func (f *formation) alone() error {
	vote := f.current()
	if vote.Formed {
		return nil
	}
	if vote.ClusterID == "" || vote.Proposer != f.id {
		from := vote.ClusterID
		vote = bootstrapVote{ClusterID: uuid.NewString(), Proposer: f.id, Expect: 1}
		if err := f.replace(from, vote); err != nil {
			return err
		}
	}
	return f.form(vote.ClusterID, []nameClaim{f.claim})
}

// step advances the formation as far as the view allows. It is called whenever
// the view changes, and periodically.
func (f *formation) step(ctx context.Context, alive []gossipMember, triedAll bool) error {
	held := f.current()
	if held.Formed {
		return nil
	}
	mine := held.Proposer == f.id
	if held.ClusterID != "" && !mine {
		return f.release(ctx, held)
	}
	var eligible []nameClaim // by id
	for _, m := range alive {
		switch {
		case m.ID != f.id && m.Formed:
			if mine {
				f.log.Info("proposal withdrawn: a cluster exists", "member", m.ID)
				return f.replace(held.ClusterID, bootstrapVote{})
			}
			return nil
		case m.ID == f.id:
			eligible = append(eligible, f.claim)
		case m.Expect == f.expect && !slices.ContainsFunc(eligible, m.claim().rivals):
			eligible = append(eligible, m.claim())
		}
	}
	if f.expect == 0 || len(eligible) < f.expect || !triedAll {
		return nil
	}
	if !mine {
		if eligible[0].ID != f.id {
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

// propose asks for votes and bootstraps when there are enough.
func (f *formation) propose(ctx context.Context, vote bootstrapVote, eligible []nameClaim) error {
	voters := []nameClaim{f.claim}
	for _, claim := range eligible {
		if len(voters) == f.expect {
			break
		}
		if claim.ID == f.id {
			continue
		}
		other, err := f.ask(ctx, claim.ID, &vote)
		switch {
		case errors.Is(err, errVoteHeld):
			if other.Formed || other.ClusterID != "" && other.Proposer < f.id {
				f.log.Info("proposal withdrawn for another", "member", claim.ID, "cluster", other.ClusterID)
				return f.replace(vote.ClusterID, bootstrapVote{})
			}
			f.log.Debug("member has voted for another cluster", "member", claim.ID, "cluster", other.ClusterID)
		case err != nil:
			f.log.Debug("cannot ask for a vote", "member", claim.ID, "error", err)
		default:
			voters = append(voters, claim)
		}
	}
	if len(voters) < f.expect {
		return nil
	}
	return f.form(vote.ClusterID, voters)
}

// form bootstraps the cluster unless the proposal was withdrawn meanwhile.
func (f *formation) form(clusterID string, voters []nameClaim) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held.ClusterID != clusterID || f.formedLocked() {
		return nil
	}
	config := raft.Configuration{Servers: nameServers(voters)}
	if err := f.bootstrap(config); err != nil && !errors.Is(err, raft.ErrCantBootstrap) {
		return fmt.Errorf("bootstrap: %w", err)
	}
	f.log.Info("cluster formed", "cluster", clusterID, "masters", names(config.Servers))
	return nil
}

// release withdraws this master's vote when its proposer has withdrawn.
func (f *formation) release(ctx context.Context, held bootstrapVote) error {
	now, err := f.ask(ctx, held.Proposer, nil)
	if err != nil {
		f.log.Debug("cannot ask the proposer", "proposer", held.Proposer, "error", err)
		return nil
	}
	if now.ClusterID == held.ClusterID {
		return nil
	}
	f.log.Info("vote withdrawn: its proposer withdrew", "proposer", held.Proposer)
	return f.replace(held.ClusterID, bootstrapVote{})
}

// askVote is formation.ask over the peer port.
func (n *Node) askVote(ctx context.Context, id string, vote *bootstrapVote) (bootstrapVote, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if vote == nil {
		var s status
		err := n.peers.call(ctx, id, "status", nil, &s)
		return s.BootstrapVote, err
	}
	var held bootstrapVote
	err := n.peers.call(ctx, id, "bootstrap-vote", vote, &held)
	if answer, ok := errors.AsType[*answerError](err); ok && answer.Status == http.StatusConflict {
		if err := json.Unmarshal([]byte(answer.Body), &held); err != nil {
			return held, err
		}
		return held, errVoteHeld
	}
	return held, err
}
