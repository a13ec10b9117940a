package api

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// jobsIn returns how many jobs a snapshot holds.
func jobsIn(t *testing.T, r response) int64 {
	t.Helper()
	if got := r.Header.Get("Content-Type"); got != backupType {
		t.Errorf("got %s, want %s", got, backupType)
	}
	path, m, err := fsm.OpenBackup(bytes.NewReader(r.body), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got, want := r.Header.Get(ffrtmp.IndexHeader), fmt.Sprint(m.Index); got != want {
		t.Errorf("got index %s in the header, want %s as in the manifest", got, want)
	}
	return m.Jobs
}

// Every master hands out a snapshot: a follower the leader's state, with ?stale its own.
func TestSnapshot_Save(t *testing.T) {
	leader, follower, peer := pair(t)
	leader.submit(`{"scenario":"720p"}`)
	if got := jobsIn(t, leader.want(200, "GET", "/cluster/snapshot", "")); got != 1 {
		t.Errorf("got %d jobs from the leader, want 1", got)
	}
	if got := jobsIn(t, follower.want(200, "GET", "/cluster/snapshot", "")); got != 1 {
		t.Errorf("got %d jobs from a follower, want 1", got)
	}
	seen := peer.seen.Load()
	jobsIn(t, follower.want(200, "GET", "/cluster/snapshot?stale", ""))
	if peer.seen.Load() != seen {
		t.Error("got a stale snapshot forwarded to the leader, want the follower's own state")
	}
	if r := leader.want(200, "HEAD", "/cluster/snapshot", ""); len(r.body) != 0 {
		t.Errorf("got %d bytes in answer to HEAD, want none", len(r.body))
	}
}

// One snapshot is made at a time, and none while the disk is nearly full.
func TestSnapshot_Refused(t *testing.T) {
	m := newMaster(t)
	m.api.backingUp.Store(true)
	m.want(429, "GET", "/cluster/snapshot", "")
	m.api.backingUp.Store(false)
	m.want(200, "GET", "/cluster/snapshot", "")
	m.cluster.diskErr = errors.New("less than 512 MiB are free")
	m.want(507, "GET", "/cluster/snapshot", "")
}
