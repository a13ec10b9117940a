package fsm

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
	"github.com/ffrtmp/ffrtmp/snapshot"
)

var backupTime = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// backUp returns a backup of a cluster's state.
func (c *cluster) backUp() []byte {
	c.Helper()
	b, err := c.fsm.Backup(context.Background(), "v9", backupTime)
	if err != nil {
		c.Fatal(err)
	}
	defer b.Close()
	data, err := io.ReadAll(b)
	if err != nil {
		c.Fatal(err)
	}
	if int64(len(data)) != b.Bytes {
		c.Errorf("got %d bytes, want %d", len(data), b.Bytes)
	}
	return data
}

// A backup says what it holds, leaves no file behind, and passes every check.
func TestBackup_RoundTrip(t *testing.T) {
	c := newCluster(t)
	c.fsm.SetClusterID(func() string { return "here" })
	c.register("a")
	c.submit()
	c.submit()
	data := c.backUp()
	if left, _ := filepath.Glob(filepath.Join(c.fsm.files.Dir(), "temporary-*")); left != nil {
		t.Errorf("got %v left behind, want nothing", left)
	}
	_, m, err := OpenBackup(bytes.NewReader(data), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if m.Index != c.fsm.Index() || m.Jobs != 2 || m.Nodes != 1 || m.ClusterID != "here" || m.Version != "v9" ||
		!m.CreatedAt.Equal(backupTime) || m.SchemaVersion != store.SchemaVersion {
		t.Errorf("got manifest %+v of a state at %d with 2 jobs and 1 node", m, c.fsm.Index())
	}
}

// Entries are applied while a backup is written and while it is read slowly, and are not in it.
func TestBackup_Isolation(t *testing.T) {
	c := newCluster(t)
	c.submit()
	b, err := c.fsm.Backup(context.Background(), "", backupTime)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Close(t, b)
	for range 100 {
		c.submit()
	}
	// Nothing pins the WAL any more: it can be checkpointed to its end.
	if err := c.fsm.state.Sync(); err != nil {
		t.Errorf("checkpoint while a backup is open: %v", err)
	}
	_, m, err := OpenBackup(b, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if m.Jobs != 1 {
		t.Errorf("got %d jobs, want the 1 from before", m.Jobs)
	}
}

// A database's copy, made by sqlite3 .backup or cp, at rest or with its WAL, is as good as a backup.
func TestPackState_Copies(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "master.db")
	c := openCluster(t, Options{Path: link, Dir: filepath.Join(dir, "raft")})
	c.submit()
	c.submit()
	vacuumed := filepath.Join(dir, "x")
	if _, err := c.sqlite().Exec("VACUUM INTO ?", vacuumed); err != nil { // as .backup: a file at rest
		t.Fatal(err)
	}
	if err := c.fsm.Close(); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "y")
	data, err := os.ReadFile(link)
	if err == nil {
		err = os.WriteFile(copied, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{vacuumed, copied, link} {
		var out bytes.Buffer
		if _, err := PackState(context.Background(), path, &out); err != nil {
			t.Errorf("%s: %v", filepath.Base(path), err)
			continue
		}
		_, m, err := OpenBackup(&out, t.TempDir())
		if err != nil || m.Jobs != 2 {
			t.Errorf("%s: got %d jobs, %v, want 2", filepath.Base(path), m.Jobs, err)
		}

		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		_, m, err = OpenBackup(file, t.TempDir()) // without packing it first
		if err != nil || m.Jobs != 2 {
			t.Errorf("%s: got %d jobs, %v, want 2", filepath.Base(path), m.Jobs, err)
		}

		_ = file.Close()
	}
}

// What is no state of a master, is damaged, or is of a newer version is refused, and nothing is left.
func TestOpenBackup_Refused(t *testing.T) {
	c := newCluster(t)
	c.submit()
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	if _, err := c.sqlite().Exec("VACUUM INTO ?", state); err != nil {
		t.Fatal(err)
	}
	changed := func(name, statement string) []byte {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(state)
		if err == nil {
			err = os.WriteFile(path, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("sqlite", sqlitedsn.File(path))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if data, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
		return data
	}
	whole := changed("whole", "SELECT 1")
	broken := bytes.Clone(whole)
	for i := 4096 + 1; i < 3*4096; i += 5 {
		broken[i] ^= 0xff
	}
	for _, tt := range []struct {
		name string
		data []byte
		want error
	}{
		{"nothing", nil, store.ErrForeign},
		{"a text", []byte("hello"), store.ErrForeign},
		{"another program's database", changed("other", "PRAGMA application_id = 7"), store.ErrForeign},
		{"a newer schema", changed("newer", "PRAGMA user_version = 900"), store.ErrVersion},
		{"a job that cannot be loaded", changed("job", "UPDATE job_spec SET id = 'x'"), snapshot.ErrCorrupt},
		{
			"no table of jobs", changed("table", "DROP VIEW jobs; DROP VIEW attempts; DROP TABLE job_spec"),
			snapshot.ErrCorrupt,
		},
		{"truncated", whole[:len(whole)/2], snapshot.ErrCorrupt},
		{"flipped bytes", broken, snapshot.ErrCorrupt},
		{"a truncated backup", c.backUp()[:500], snapshot.ErrCorrupt},
	} {
		t.Run(tt.name, func(t *testing.T) {
			into := t.TempDir()
			_, _, err := OpenBackup(bytes.NewReader(tt.data), into)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if left, _ := os.ReadDir(into); len(left) > 0 {
				t.Errorf("got %v left behind, want nothing", left)
			}
		})
	}
}

// A backup holds no API key's secret.
func TestBackup_Secrets(t *testing.T) {
	c := newCluster(t)
	_, created, _, err := c.CreateKey(context.Background(), Idempotency{}, ffrtmp.NewKey{
		Name: "ci", Scopes: []ffrtmp.Scope{ffrtmp.ScopeRead},
	})
	if err != nil {
		t.Fatal(err)
	}
	path, _, err := OpenBackup(bytes.NewReader(c.backUp()), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, secret, _ := strings.Cut(created.Secret, "."); secret == "" || strings.Contains(string(data), secret) {
		t.Errorf("got a backup that contains the secret %q", secret)
	}
}
