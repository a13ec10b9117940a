package api

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
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

// A snapshot restored through a follower replaces the jobs, ends what runs, and leads on: a claim gets
// the job again, and the attempt of before is refused.
func TestRestore_ThroughFollower(t *testing.T) {
	leader, follower, _ := pair(t)
	node := leader.register(nodeA)
	leader.submit(`{"scenario":"720p"}`)
	saved := string(leader.want(200, "GET", "/cluster/snapshot", "").body)
	first := leader.claim(node)
	later := leader.submit(`{"scenario":"480p"}`)
	events := leader.stream("?type=restored")
	var answer ffrtmp.RestoredSnapshot
	follower.want(200, "POST", "/cluster/restore", saved, "Idempotency-Key", "once").decode(t, &answer)
	if answer.Jobs != 1 || answer.SnapshotCluster != leader.cluster.ClusterID() {
		t.Errorf("got %+v, want one job of this cluster", answer)
	}
	if e := events.next(); e.Type != ffrtmp.Restored {
		t.Errorf("got event %s on the open stream, want %s", e.Type, ffrtmp.Restored)
	}
	leader.want(404, "GET", "/jobs/"+later.ID, "")
	leader.want(409, "POST", "/results", result(first, "completed", ""))
	beat := fmt.Sprintf(`{"attempts":[{"job_id":%q,"attempt":1,"lease":%q}]}`, first.ID, first.Lease)
	var commands ffrtmp.HeartbeatResponse
	leader.want(200, "POST", "/nodes/"+node+"/heartbeat", beat).decode(t, &commands)
	if len(commands.Commands) != 1 || commands.Commands[0].Command != ffrtmp.CommandStop {
		t.Errorf("got commands %+v for the attempt of before, want it stopped", commands.Commands)
	}
	if again := leader.claim(node); again.ID != first.ID || again.Lease == first.Lease {
		t.Errorf("got job %s with lease %s, want %s with another one than before", again.ID, again.Lease, first.ID)
	}
	index := leader.job("1").Attempt
	follower.want(200, "POST", "/cluster/restore", saved, "Idempotency-Key", "once") // changes nothing
	if got := leader.job("1"); got.Attempt != index || got.Status != ffrtmp.Running {
		t.Errorf("got attempt %d, %s after a repetition, want %d, running", got.Attempt, got.Status, index)
	}
}

// What is no snapshot, is damaged, or is another cluster's is refused, and nothing changes.
func TestRestore_Refused(t *testing.T) {
	m := newMaster(t)
	m.submit(`{"scenario":"720p"}`)
	saved := m.want(200, "GET", "/cluster/snapshot", "").body
	flipped := bytes.Clone(saved)
	flipped[len(flipped)/2] ^= 4
	for name, body := range map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "flipped": flipped, "truncated": saved[:len(saved)/2],
	} {
		if r := m.request("POST", "/cluster/restore", string(body)); r.StatusCode != 400 {
			t.Errorf("%s: got %d %s, want 400", name, r.StatusCode, r.body)
		}
	}
	m.want(400, "POST", "/cluster/restore?force=maybe", string(saved))
	m.api.restoring.Store(true)
	m.want(429, "POST", "/cluster/restore", string(saved))
	m.api.restoring.Store(false)
	m.cluster.diskErr = errors.New("less than 512 MiB are free")
	m.want(507, "POST", "/cluster/restore", string(saved))
	m.cluster.diskErr = nil
	if got := m.job("1").Status; got != ffrtmp.Pending {
		t.Errorf("got job 1 %s, want it untouched", got)
	}
}

// The snapshot of another cluster replaces no jobs unless it is forced to; an empty cluster takes it. From then on the
// other one counts as the same.
func TestRestore_OtherCluster(t *testing.T) {
	other := newMaster(t)
	other.submit(`{"scenario":"720p"}`)
	other.cluster.clusterID = "22222222-2222-3333-4444-555555555555"
	saved := string(other.want(200, "GET", "/cluster/snapshot", "").body)
	empty := newMaster(t)
	empty.want(200, "POST", "/cluster/restore", saved)
	empty.want(200, "GET", "/jobs/1", "")
	m := newMaster(t)
	m.submit(`{"scenario":"720p"}`)
	if r := m.want(409, "POST", "/cluster/restore", saved); !strings.Contains(string(r.body), "--force") {
		t.Errorf("got %s, want it to name --force", r.body)
	}
	m.want(200, "POST", "/cluster/restore?force", saved)
	m.want(200, "POST", "/cluster/restore", saved)
}
