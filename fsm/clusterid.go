package fsm

import (
	"fmt"

	"github.com/ffrtmp/ffrtmp/snapshot"
)

// SetClusterID sets the source of the cluster id, before Raft runs. Snapshots
// carry the id, and a snapshot of another cluster is rejected.
func (f *FSM) SetClusterID(id func() string) { f.cluster = id }

// clusterID returns the id of the cluster, "" while it is unknown.
func (f *FSM) clusterID() string {
	if f.cluster == nil {
		return ""
	}
	return f.cluster()
}

// checkCluster rejects a snapshot of another cluster.
func (f *FSM) checkCluster(m snapshot.Manifest) error {
	if own := f.clusterID(); own != "" && m.ClusterID != own {
		return fmt.Errorf("restore snapshot: snapshot is of cluster %q, this master of %q", m.ClusterID, own)
	}
	return nil
}
