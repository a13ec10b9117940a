package fsm

import (
	"bytes"
	"io"
	"testing"

	"github.com/ffrtmp/ffrtmp/snapshot"
)

// A snapshot carries its cluster id; another cluster rejects it.
func TestFSM_SnapshotClusterID(t *testing.T) {
	c := newCluster(t)
	c.submit()
	id := "one"
	c.fsm.SetClusterID(func() string { return id })
	image := c.snapshot()
	m, err := snapshot.ReadManifest(bytes.NewReader(image))
	if err != nil || m.ClusterID != "one" {
		t.Errorf("manifest: got cluster %q (%v), want %q", m.ClusterID, err, "one")
	}
	restore := func() error { return c.fsm.Restore(io.NopCloser(bytes.NewReader(image))) }
	if err := restore(); err != nil {
		t.Errorf("same cluster: got %v, want none", err)
	}
	id = "two"
	if err := restore(); err == nil {
		t.Error("another cluster: got no error, want one")
	}
}
