package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
	"github.com/ffrtmp/ffrtmp/internal/filelock"
)

// state is the agent's state directory. Only one process may open it.
type state struct {
	dir    string
	nodeID string
	lock   *os.File

	mu      sync.Mutex
	cluster cluster
}

// cluster is what the agent remembers about the masters.
type cluster struct {
	ID      string   `json:"cluster_id"`
	Masters []string `json:"masters"`
}

func openState(dir string) (*state, error) {
	if err := os.MkdirAll(filepath.Join(dir, "attempts"), 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	lock, err := filelock.Open(filepath.Join(dir, "lock"))
	if errors.Is(err, filelock.ErrHeld) {
		return nil, fmt.Errorf("state directory %s is in use by another agent: %w", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("state directory %s: %w", dir, err)
	}
	s := &state{dir: dir, lock: lock}
	if err := s.load(); err != nil {
		lock.Close()
		return nil, err
	}
	return s, nil
}

func (s *state) load() error {
	if err := s.identify(); err != nil {
		return err
	}
	err := atomicfile.ReadJSON(filepath.Join(s.dir, "cluster.json"), &s.cluster)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// identify reads the node's identity, or creates one.
func (s *state) identify() error {
	path := filepath.Join(s.dir, "identity")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		s.nodeID = uuid.NewString()
		return atomicfile.Write(path, []byte(s.nodeID+"\n"), 0o600)
	}
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	s.nodeID = strings.TrimSpace(string(data))
	if !ffrtmp.IsID(s.nodeID) {
		return fmt.Errorf("%s: not a UUID", path)
	}
	return nil
}

func (s *state) close() error { return s.lock.Close() }

// attemptBytes is roughly the size of an attempt's own files.
const attemptBytes = 2 << 20

// checkSpace returns an error when the directory cannot hold another attempt. An attempt
// that is claimed but not recorded expires, and five of those end a job.
func (s *state) checkSpace() error {
	path := filepath.Join(s.dir, "space")
	if err := os.WriteFile(path, make([]byte, attemptBytes), 0o600); err != nil {
		_ = os.Remove(path) // the part that was written
		return err
	}
	return os.Remove(path)
}

// errOtherCluster: the agent belongs to one cluster, and to those that take over its state.
var errOtherCluster = errors.New("the masters belong to another cluster")

// pin stores the cluster that answered and its masters. The first cluster stays, unless its state was taken over:
// attempts and results of one cluster must not reach another. former are the clusters from which id has taken over.
func (s *state) pin(id string, former, masters []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id != "" && s.cluster.ID != "" && id != s.cluster.ID && !slices.Contains(former, s.cluster.ID) {
		return fmt.Errorf("%w: got %s, want %s; use another --state-dir for another cluster", errOtherCluster, id,
			s.cluster.ID)
	}
	next := cluster{ID: s.cluster.ID, Masters: s.cluster.Masters}
	if id != "" {
		next.ID = id
	}
	if len(masters) > 0 {
		next.Masters = slices.Sorted(slices.Values(masters))
	}
	if next.ID == s.cluster.ID && slices.Equal(next.Masters, s.cluster.Masters) {
		return nil
	}
	if err := atomicfile.WriteJSON(filepath.Join(s.dir, "cluster.json"), next); err != nil {
		return err
	}
	s.cluster = next
	return nil
}

func (s *state) masters() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.cluster.Masters)
}
