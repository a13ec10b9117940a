package cluster

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// storeSnapshot puts a snapshot of raft index and term into the store, whose
// manifest names an applied index of its own.
func storeSnapshot(t *testing.T, snaps raft.SnapshotStore, index, term, manifest uint64) {
	t.Helper()
	_, trans := raft.NewInmemTransport("")
	sink, err := snaps.Create(1, index, term, raft.Configuration{}, 1, trans)
	if err != nil {
		t.Fatal(err)
	}
	body := append(binary.BigEndian.AppendUint64(nil, manifest), `{"Index":8,"Term":2}`...)
	if _, err := sink.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRecovery_Decides(t *testing.T) {
	tests := []struct {
		name          string
		first, last   uint64 // log, all of term 2
		snapshot      uint64 // raft's index, of term 2; 0 = none
		manifest      uint64
		applied, term uint64
		verify        error
		discard       bool
		lost          bool // the log
	}{
		{name: "new master"},
		{name: "state agrees with the log", first: 1, last: 10, applied: 8, term: 2},
		{
			name:  "state agrees with snapshot and log",
			first: 4, last: 20, snapshot: 10, manifest: 8, applied: 15, term: 2,
		},
		{
			name:  "state is exactly the snapshot's",
			first: 11, last: 12, snapshot: 10, manifest: 8, applied: 8, term: 2,
		},
		{
			name:  "state was applied below a snapshot that covers barriers",
			first: 11, last: 12, snapshot: 10, manifest: 8, applied: 9, term: 2,
		},
		{
			name:  "state is behind the manifest",
			first: 4, last: 20, snapshot: 10, manifest: 8, applied: 7, term: 2, discard: true,
		},
		{name: "state is empty beside a snapshot", first: 11, last: 12, snapshot: 10, manifest: 8, discard: true},
		{
			name:  "state has another term than the log",
			first: 1, last: 10, applied: 8, term: 1, discard: true,
		},
		{name: "state is ahead of the log", first: 1, last: 10, applied: 11, term: 2, lost: true},
		{name: "state without any log", applied: 11, term: 2, lost: true},
		{name: "snapshot without any log", snapshot: 10, manifest: 8, applied: 9, term: 2},
		{name: "log ends in the snapshot", first: 4, last: 6, snapshot: 10, manifest: 8, applied: 9, term: 2},
		{
			name:  "state is ahead of snapshot and log",
			first: 4, last: 12, snapshot: 10, manifest: 8, applied: 13, term: 2, lost: true,
		},
		{
			name:  "state does not verify",
			first: 1, last: 10, applied: 8, term: 2, verify: errors.New("another boot"), discard: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store, snaps := raft.NewInmemStore(), raft.NewInmemSnapshotStore()
			if tt.last > 0 {
				storeEntries(t, store, tt.first, tt.last, 2)
			}
			if tt.snapshot > 0 {
				storeSnapshot(t, snaps, tt.snapshot, 2, tt.manifest)
			}
			sm := &toy{index: tt.applied, term: tt.term, verifyErr: tt.verify}
			sm.commands = []string{"applied"}
			r := &recovery{sm: sm, store: store, snaps: snaps, log: hclog.NewNullLogger(), dir: t.TempDir()}
			restore, err := r.prepare()
			if lost := untrusted(err); lost != tt.lost || err != nil && !lost {
				t.Fatalf("got error %v, lost: want %v", err, tt.lost)
			}
			if got := len(sm.aside) > 0; got != tt.discard {
				t.Errorf("state set aside: got %v, want %v", got, tt.discard)
			}
			if restore != tt.discard || sm.discarded > 0 != tt.discard {
				t.Errorf("restore %v, discarded %d times, want %v", restore, sm.discarded, tt.discard)
			}
		})
	}
}

// hashicorp/raft issue 697: entries of an older term behind an installed
// snapshot make leader and follower send it back and forth endlessly.
func TestRecovery_StaleLog(t *testing.T) {
	for _, tt := range []struct {
		name    string
		logTerm uint64
		wiped   bool
	}{{"older term", 2, true}, {"same term", 3, false}} {
		t.Run(tt.name, func(t *testing.T) {
			d := openTestStore(t, filepath.Join(t.TempDir(), "raft.db"))
			snaps := raft.NewInmemSnapshotStore()
			storeEntries(t, d, 5, 12, tt.logTerm)
			storeSnapshot(t, snaps, 10, 3, 8)
			r := &recovery{sm: &toy{}, store: d, snaps: snaps, log: hclog.NewNullLogger()}
			if _, err := r.prepare(); err != nil {
				t.Fatal(err)
			}
			last, err := d.LastIndex()
			if err != nil {
				t.Fatal(err)
			}
			if (last == 0) != tt.wiped {
				t.Errorf("log ends at %d, wiped: want %v", last, tt.wiped)
			}
		})
	}
}

func TestRecovery_Hole(t *testing.T) {
	store, snaps := raft.NewInmemStore(), raft.NewInmemSnapshotStore()
	storeEntries(t, store, 14, 20, 2)
	storeSnapshot(t, snaps, 10, 2, 8)
	r := &recovery{sm: &toy{}, store: store, snaps: snaps, log: hclog.NewNullLogger()}
	if _, err := r.prepare(); err == nil {
		t.Error("entries 11 to 13 are missing: got no error, want one")
	}
}

func TestRecovery_BootstrapCutShort(t *testing.T) {
	d := openTestStore(t, filepath.Join(t.TempDir(), "raft.db"))
	snaps := raft.NewInmemSnapshotStore()
	if err := d.SetUint64(keyCurrentTerm, 1); err != nil { // and then the process died
		t.Fatal(err)
	}
	r := &recovery{sm: &toy{}, store: d, snaps: snaps, log: hclog.NewNullLogger()}
	if _, err := r.prepare(); err != nil {
		t.Fatal(err)
	}
	if has, err := raft.HasExistingState(d, d, snaps); has || err != nil {
		t.Errorf("got existing state %v (%v), want none: Raft refuses to bootstrap on it", has, err)
	}
}

// writeSnapshot writes a command and makes a snapshot with it.
func writeSnapshot(t *testing.T, command string, m *master) {
	t.Helper()
	write(t, command, m)
	if err := m.Snapshot(testkit.Context(t)); err != nil {
		t.Fatal(err)
	}
}

func TestRecovery_DistrustedState(t *testing.T) {
	t.Parallel()
	m := startSolo(t)
	writeSnapshot(t, "in the snapshot", m)
	write(t, "in the log", m)
	index, term := m.sm.Applied()
	m.stop()

	sm := &toy{index: index, term: term, commands: []string{"nonsense"}, verifyErr: errors.New("unclean reboot")}
	node, err := Open(m.cfg, sm)
	if err != nil {
		t.Fatal(err)
	}
	again := &master{Node: node, sm: sm, cfg: m.cfg, t: t}
	t.Cleanup(again.stop)
	waitReady(t, again)
	if got := sm.all(); len(got) != 2 || got[0] != "in the snapshot" || got[1] != "in the log" {
		t.Errorf("rebuilt state holds %q", got)
	}
}

func TestRecovery_TrustedState(t *testing.T) {
	t.Parallel()
	m := startSolo(t)
	writeSnapshot(t, "one", m)
	m.stop()
	node, err := Open(m.cfg, m.sm) // the state outlives the restart, as a database does
	if err != nil {
		t.Fatal(err)
	}
	again := &master{Node: node, sm: m.sm, cfg: m.cfg, t: t}
	t.Cleanup(again.stop)
	waitReady(t, again)
	write(t, "two", again)
	if got := m.sm.all(); len(got) != 2 || m.sm.discarded > 0 {
		t.Errorf("commands %q after %d discards, want one and two after none", got, m.sm.discarded)
	}
}

func TestRecovery_DamagedSnapshot(t *testing.T) {
	t.Parallel()
	m := startSolo(t)
	for _, command := range []string{"one", "two"} {
		write(t, command, m)
		if err := m.Snapshot(testkit.Context(t)); err != nil {
			t.Fatal(err)
		}
	}
	m.stop()
	list, err := m.snaps.List()
	if err != nil || len(list) != 2 {
		t.Fatalf("%d snapshots kept (%v), want 2", len(list), err)
	}
	state := filepath.Join(m.cfg.Dir, "snapshots", list[0].ID, "state.bin")
	if err := os.WriteFile(state, []byte("not what was written"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := m.restart(nil)
	waitReady(t, again)
	waitApplied(t, "two", again)
}
