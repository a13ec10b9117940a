package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
)

// Replica is how the masters compare their states, and copy one. The state's package knows what a sum is.
type Replica struct {
	// Sum returns a sum of this master's state at an index.
	Sum func(ctx context.Context, index uint64) ([]byte, error)
	// Write writes this master's state once it has reached an index.
	Write func(ctx context.Context, index uint64, w io.Writer) error
	// TakeOut takes this master's state out of service: it differs from the others'.
	TakeOut func(reason string)
	// Rebuilt tells everybody, on the leader, that the master with a name has rebuilt its state.
	Rebuilt func(ctx context.Context, name string) error
}

// MemberSum is a member's sum.
type MemberSum struct {
	ID, Name string
	Sum      []byte // nil: it did not answer
}

const (
	sumTimeout   = 10 * time.Second // for the sum of a member
	imageTimeout = time.Hour        // for a whole state
)

// Sums asks every member, this one included, for its sum at an index.
func (n *Node) Sums(ctx context.Context, index uint64) []MemberSum {
	ctx, cancel := context.WithTimeout(ctx, sumTimeout)
	defer cancel()
	servers := n.servers()
	all := make([]MemberSum, len(servers))
	var wg sync.WaitGroup
	for i, s := range servers {
		all[i] = MemberSum{ID: string(s.ID), Name: string(s.Address)}
		wg.Go(func() {
			sum, err := n.sumOf(ctx, string(s.ID), index)
			if err != nil {
				n.log.Debug("cannot get the sum of a member's state", "id", s.ID, "name", s.Address, "error", err)
				return
			}
			all[i].Sum = sum
		})
	}
	wg.Wait()
	return all
}

func (n *Node) sumOf(ctx context.Context, id string, index uint64) ([]byte, error) {
	if id == n.id.ID {
		return n.cfg.Replica.Sum(ctx, index)
	}
	var sum json.RawMessage
	err := n.peers.call(ctx, id, "state-sum?index="+strconv.FormatUint(index, 10), nil, &sum)
	return sum, err
}

// takenOut is the body of a request that takes a member's state out of service.
type takenOut struct {
	Reason string `json:"reason"`
}

// TakeOut takes a member's state out of service, which the member then rebuilds.
func (n *Node) TakeOut(ctx context.Context, id, reason string) error {
	if id == n.id.ID {
		n.cfg.Replica.TakeOut(reason)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var done takenOut
	return n.peers.call(ctx, id, "take-out", takenOut{reason}, &done)
}

// rebuiltState is the body of a request by a master that has rebuilt its state.
type rebuiltState struct {
	Name string `json:"name"`
}

// ReportRebuilt has the leader tell everybody that this master has rebuilt its state.
func (n *Node) ReportRebuilt(ctx context.Context) error {
	leader, known := n.Leader()
	switch {
	case !known:
		return ErrNoLeader
	case leader.ID == n.id.ID:
		return n.cfg.Replica.Rebuilt(ctx, n.Name())
	}
	ctx, cancel := context.WithTimeout(ctx, sumTimeout)
	defer cancel()
	var done rebuiltState
	return n.peers.call(ctx, leader.ID, "rebuilt", rebuiltState{n.Name()}, &done)
}

// LeaderState reads the leader's state once it has reached an index. The caller closes it.
func (n *Node) LeaderState(ctx context.Context, index uint64) (io.ReadCloser, error) {
	leader, known := n.Leader()
	switch {
	case !known:
		return nil, ErrNoLeader
	case leader.ID == n.id.ID:
		return nil, errIsLeader
	}
	ctx, cancel := context.WithTimeout(ctx, imageTimeout)
	body, err := n.peers.stream(ctx, leader.ID, "state?index="+strconv.FormatUint(index, 10))
	if err != nil {
		cancel()
		return nil, err
	}
	return &ledBody{body, cancel}, nil
}

// stream returns the body of an answer.
func (p *peerClient) stream(ctx context.Context, id, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+id+pathPrefix+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := p.http.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w", path, id, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	err = errors.Join(&answerError{Status: resp.StatusCode, Body: string(data)}, err, resp.Body.Close())
	return nil, fmt.Errorf("%s of %s: %w", path, id, err)
}

// serveReplica adds what members ask each other about their states.
func (n *Node) serveReplica(mux *http.ServeMux) {
	if n.cfg.Replica.Sum == nil {
		return
	}
	mux.HandleFunc("GET "+pathPrefix+"state-sum", func(w http.ResponseWriter, r *http.Request) {
		index, err := indexOf(r)
		var sum []byte
		if err == nil {
			sum, err = n.cfg.Replica.Sum(r.Context(), index)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		writeJSON(w, http.StatusOK, json.RawMessage(sum))
	})
	mux.HandleFunc("GET "+pathPrefix+"state", func(w http.ResponseWriter, r *http.Request) {
		index, err := indexOf(r)
		out := &begunWriter{Writer: w}
		if err == nil {
			err = n.cfg.Replica.Write(r.Context(), index, out)
		}
		switch {
		case err == nil:
		case !out.begun:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		default:
			n.log.Warn("cannot send this master's state", "error", err)
			panic(http.ErrAbortHandler) // the reader must not take it for a whole one
		}
	})
	mux.HandleFunc("POST "+pathPrefix+"rebuilt", func(w http.ResponseWriter, r *http.Request) {
		var done rebuiltState
		err := json.NewDecoder(io.LimitReader(r.Body, answerLimit)).Decode(&done)
		if err == nil {
			err = n.cfg.Replica.Rebuilt(r.Context(), done.Name)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		writeJSON(w, http.StatusOK, done)
	})
	mux.HandleFunc("POST "+pathPrefix+"take-out", func(w http.ResponseWriter, r *http.Request) {
		var t takenOut
		if err := json.NewDecoder(io.LimitReader(r.Body, answerLimit)).Decode(&t); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		n.cfg.Replica.TakeOut(t.Reason)
		writeJSON(w, http.StatusOK, t)
	})
}

func indexOf(r *http.Request) (uint64, error) {
	return strconv.ParseUint(r.URL.Query().Get("index"), 10, 64)
}

// begunWriter knows whether anything has been written.
type begunWriter struct {
	io.Writer
	begun bool
}

// Write implements io.Writer.
func (w *begunWriter) Write(p []byte) (int, error) {
	w.begun = true
	return w.Writer.Write(p)
}

// MakeAside makes a directory for files that are not used any more; "" if nothing is kept on disk.
func (n *Node) MakeAside() (string, error) {
	if n.storage.inMemory() {
		return "", nil
	}
	return makeAside(n.storage.path)
}

// DropAside removes such a directory if it is still empty.
func (n *Node) DropAside(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, syscall.ENOTEMPTY) {
		return err
	}
	return nil
}

// RenewSnapshots takes a snapshot of the state and moves the older ones aside: they have what was wrong in it.
func (n *Node) RenewSnapshots(ctx context.Context, aside string) error {
	snaps, ok := n.snaps.(*snapshotStore)
	if !ok {
		return n.Snapshot(ctx)
	}
	old, err := snaps.List()
	if err == nil {
		err = n.await(ctx, func() error { return n.raft.Snapshot().Error() })
	}
	if err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return fmt.Errorf("renew the snapshots: %w", err)
	}
	for _, s := range old {
		err := os.Rename(snaps.path(s.ID), filepath.Join(aside, s.ID))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // Raft keeps the newest ones only
			return fmt.Errorf("set a snapshot aside: %w", err)
		}
	}
	return nil
}
