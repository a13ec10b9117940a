package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// ErrRemoved is the state of a master that was removed from its cluster: it neither votes
// nor leads, and is not admitted again.
var ErrRemoved = errors.New("this master was removed from its cluster: " +
	"stop it; to add it again, start it with an empty data directory")

// isRemoved reports whether an operator has removed a master, which then is no member.
func (n *Node) isRemoved(id string) bool {
	isMember := func(s raft.Server) bool { return string(s.ID) == id }
	return n.setting(RemovedKey(id)) != "" && !slices.ContainsFunc(n.servers(), isMember)
}

// dismiss tells a master that it was removed. One that does not answer learns it when it
// returns: from gossip's view of it, or when it connects.
func (n *Node) dismiss(ctx context.Context, id string) {
	if n.peers == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := n.peers.call(ctx, id, "removed", struct{}{}, &struct{}{}); err != nil {
		n.log.Debug("cannot tell a master that it was removed", "id", id, "error", err)
	}
}

// receiveRemoved serves such a message.
func (n *Node) receiveRemoved(w http.ResponseWriter, _ *http.Request) {
	n.removed()
	writeJSON(w, http.StatusOK, struct{}{})
}

// removed ends this master's part in the cluster, for good. It keeps its data and its API,
// which says why it is not ready.
func (n *Node) removed() {
	n.removal.Do(func() {
		id := n.id
		if id.Removed.IsZero() {
			id.Removed = time.Now().UTC()
			if err := n.storage.save(identityFile, id); err != nil {
				n.log.Warn("cannot keep that this master was removed", "error", err)
			}
		}
		n.isOut.Store(true)
		n.stream.block(ErrRemoved)
		n.log.Error("this master was removed from the cluster: it does not vote and is not admitted again; "+
			"stop it, or start it with an empty data directory to add it again",
			"name", n.claim().Name, "id", n.id.ID, "cluster", n.formation.clusterID(), "since", id.Removed)
	})
}

// refuseRemoved is the answer to a removed master that connects.
func (n *Node) refuseRemoved(id string) (ack, error) {
	return ack{Removed: true}, fmt.Errorf("master %s was removed from the cluster", id)
}
