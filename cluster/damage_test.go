package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// A document that has changed in any byte, or is another's, is damaged; a missing one leaves its default.
func TestStorage_DamagedDocument(t *testing.T) {
	s, err := openStorage(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	saved := identity{ID: "m1", Starts: 12}
	if err := s.save(identityFile, saved); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(s.file(identityFile))
	if err != nil {
		t.Fatal(err)
	}
	load := func(name string, stored []byte) error {
		if err := os.WriteFile(s.file(name), stored, 0o600); err != nil {
			t.Fatal(err)
		}
		var id identity
		return s.load(name, &id)
	}
	if err := load(identityFile, data); err != nil {
		t.Error(err)
	}
	var damaged *DamagedError
	for at := range data {
		for bit := range 8 {
			changed := []byte(string(data))
			changed[at] ^= 1 << bit
			if err := load(identityFile, changed); !errors.As(err, &damaged) {
				t.Fatalf("bit %d of byte %d flipped: got %v, want a *DamagedError", bit, at, err)
			}
		}
		if err := load(identityFile, data[:at]); !errors.As(err, &damaged) {
			t.Fatalf("truncated to %d bytes: got %v, want a *DamagedError", at, err)
		}
	}
	if err := load(voteFile, data); !errors.As(err, &damaged) {
		t.Errorf("another document: got %v, want a *DamagedError", err)
	}
	if err := s.load(addressFile, &saved); err != nil || saved.ID != "m1" {
		t.Errorf("missing: got %+v (%v), want no change", saved, err)
	}
}

// A directory whose identity is gone gives one that is not kept: nobody knows who it was.
func TestOpenIdentity_Lost(t *testing.T) {
	s, err := openStorage(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := os.WriteFile(s.file(logFile), []byte("a log"), 0o600); err != nil {
		t.Fatal(err)
	}
	id, err := openIdentity(s, "")
	if !untrusted(err) || !id.Unknown || s.has(identityFile) {
		t.Errorf("got %+v (%v), want an unknown identity that is not kept", id, err)
	}
	if next := id.successor(); len(next.Former) > 0 || !next.Unknown || next.ID == id.ID {
		t.Errorf("got successor %+v, want one that names no former id", next)
	}
}

// A log belongs to the master that began it.
func TestDiskStore_Claim(t *testing.T) {
	d, err := openDiskStore(filepath.Join(t.TempDir(), logFile), &writeClock{}, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	for range 2 {
		if err := d.claim("m1"); err != nil {
			t.Fatal(err)
		}
	}
	var lost *LostLogError
	if err := d.claim("m2"); !errors.As(err, &lost) || !strings.Contains(err.Error(), "master m1") {
		t.Errorf("got %v, want a *LostLogError that names m1", err)
	}
}

// A lost vote is restored from the log, and one of another cluster is not believed.
func TestFormation_LostVote(t *testing.T) {
	for name, harm := range map[string]func(s *storage) error{
		"missing": func(s *storage) error { return os.Remove(s.file(voteFile)) },
		"damaged": func(s *storage) error { return os.Truncate(s.file(voteFile), 3) },
		"another cluster's": func(s *storage) error {
			return s.save(voteFile, bootstrapVote{ClusterID: "other", Proposer: "x"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := openStorage(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			log := raft.NewInmemStore()
			config := formationConfig{
				id: "m1", expect: 3, copies: log, history: func() (bool, error) { return true, nil },
			}
			held := bootstrapVote{ClusterID: "ours", Proposer: "m1", Expect: 3}
			if err := s.save(voteFile, held); err != nil {
				t.Fatal(err)
			}
			openTestFormation(t, s, config)
			if err := harm(s); err != nil {
				t.Fatal(err)
			}
			if got := openTestFormation(t, s, config).clusterID(); got != "ours" {
				t.Errorf("got cluster %q, want ours", got)
			}
			var kept bootstrapVote
			if err := s.load(voteFile, &kept); err != nil || kept != held {
				t.Errorf("got a file with %+v (%v), want %+v", kept, err, held)
			}
		})
	}
}

// A snapshot whose description has changed is set aside, and so is one without any.
func TestSnapshotStore_Damaged(t *testing.T) {
	for name, harm := range map[string]func(dir string) error{
		"intact":            func(string) error { return nil },
		"without checksum":  func(dir string) error { return os.Remove(filepath.Join(dir, metaSumFile)) },
		"no description":    func(dir string) error { return os.Remove(filepath.Join(dir, metaFile)) },
		"empty description": func(dir string) error { return os.Truncate(filepath.Join(dir, metaFile), 0) },
		"another index": func(dir string) error {
			data, err := os.ReadFile(filepath.Join(dir, metaFile))
			if err != nil {
				return err
			}
			changed := strings.Replace(string(data), `"Index":7`, `"Index":6`, 1)
			if changed == string(data) {
				return errors.New("no index found")
			}
			return os.WriteFile(filepath.Join(dir, metaFile), []byte(changed), 0o600)
		},
		"no data": func(dir string) error { return os.Remove(filepath.Join(dir, "state.bin")) },
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			s, err := openSnapshotStore(root, hclog.NewNullLogger())
			if err != nil {
				t.Fatal(err)
			}
			storeSnapshot(t, s, 7, 2, 7)
			list, err := s.List()
			if err != nil || len(list) != 1 {
				t.Fatalf("got %v (%v), want one snapshot", list, err)
			}
			if err := harm(s.path(list[0].ID)); err != nil {
				t.Fatal(err)
			}
			want := 0
			if name == "intact" || name == "without checksum" {
				want = 1
			}
			if list, err := (intactSnapshots{s}).List(); err != nil || len(list) != want {
				t.Errorf("got %d intact snapshots (%v), want %d", len(list), err, want)
			}
			if err := s.setDamagedAside(hclog.NewNullLogger()); err != nil {
				t.Fatal(err)
			}
			aside, err := filepath.Glob(filepath.Join(root, "damaged-*"))
			if err != nil || len(aside) != 1-want {
				t.Errorf("got %q set aside (%v), want %d", aside, err, 1-want)
			}
		})
	}
}
