package fsm

import (
	"bytes"
	"database/sql"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
	"github.com/ffrtmp/ffrtmp/snapshot"
)

// A foreign file is not changed: v2.2's database has the same default name.
func TestOpen_ForeignFile(t *testing.T) {
	for name, make := range map[string]func(t *testing.T, path string){
		"v2.2 database": func(t *testing.T, path string) {
			db, err := sql.Open("sqlite", sqlitedsn.File(path))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec("CREATE TABLE jobs (id TEXT)"); err != nil {
				t.Fatal(err)
			}
		},
		"empty file": func(t *testing.T, path string) { write(t, path, "") },
		"text":       func(t *testing.T, path string) { write(t, path, "hello") },
		"directory":  func(t *testing.T, path string) { check(t, os.Mkdir(path, 0o700)) },
		"foreign link": func(t *testing.T, path string) {
			write(t, path+".real", "x")
			check(t, os.Symlink(path+".real", path))
		},
		"dangling link": func(t *testing.T, path string) { check(t, os.Symlink("/nowhere/state-1.db", path)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "master.db")
			make(t, path)
			before, _ := os.ReadFile(path)
			_, err := Open(Options{Path: path, Dir: filepath.Join(dir, "master.raft")})
			if !errors.Is(err, store.ErrForeign) || !strings.Contains(err.Error(), "ffrtmp import --from "+path) {
				t.Fatalf("got %v", err)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Fatal("got a changed file, want it untouched")
			}
			if _, err := os.Stat(filepath.Join(dir, "master.raft")); !errors.Is(err, os.ErrNotExist) {
				t.Fatal("got new files beside it, want none")
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	check(t, os.WriteFile(path, []byte(text), 0o600))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sqlite3 reads the jobs by the link, also after a restore has replaced the file.
func TestPath_Sqlite3(t *testing.T) {
	c := newCluster(t)
	c.submit(func(s *ffrtmp.Spec) {
		s.Parameters = []byte(`{"output_mode":"rtmp","rtmp_url":"rtmp://host/app","stream_key":"hidden"}`)
	})
	node := c.register("a")
	c.claimOne(node)
	image := c.snapshot()
	c.submit()
	c.settle()
	const ask = `SELECT count(*), max(status), max(node_name), max(created_at), max(parameters) FROM jobs;
SELECT status, running FROM nodes; SELECT outcome, started_at FROM attempts`
	want := `running|a|2026-05-04T03:02:01.000Z|` +
		`{"output_mode":"rtmp","rtmp_url":"rtmp://host/app","stream_key":"REDACTED"}` + `
busy|1
running|2026-05-04T03:02:01.000Z
`
	if got := shell(t, c.opts.Path, ask); got != "2|"+want {
		t.Fatalf("got %s", got)
	}
	before := c.fsm.state.Path()
	check(t, c.fsm.Restore(io.NopCloser(bytes.NewReader(image))))
	if got := shell(t, c.opts.Path, ask); got != "1|"+want {
		t.Fatalf("after a restore: got %s", got)
	}
	if _, err := os.Stat(before); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("replaced state file: got %v, want it removed", err)
	}
	for _, path := range []string{c.opts.Path, filepath.Join(c.opts.Dir, "state-trust.json")} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%s: got mode %v, %v, want 0600", path, info.Mode(), err)
		}
	}
}

func shell(t *testing.T, path, text string) string {
	t.Helper()
	out, err := exec.Command("sqlite3", path, text).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// Locks survive closing another descriptor of the file. Else sqlite3 would remove the WAL on exit.
func TestLocks_OtherDescriptor(t *testing.T) {
	c := newCluster(t)
	c.submit()
	file, err := os.Open(c.fsm.state.Path())
	check(t, err)
	check(t, file.Close())
	shell(t, c.opts.Path, "SELECT count(*) FROM jobs")
	if _, err := os.Stat(c.fsm.state.Path() + "-wal"); err != nil {
		t.Error(err)
	}
}

// A write transaction of sqlite3 delays writes but not reads.
func TestApply_OperatorLock(t *testing.T) {
	c := newCluster(t)
	c.submit()
	c.settle()
	operator := exec.Command("sqlite3", c.opts.Path)
	in, err := operator.StdinPipe()
	check(t, err)
	out, err := operator.StdoutPipe()
	check(t, err)
	check(t, operator.Start())
	_, err = io.WriteString(in, "BEGIN IMMEDIATE; SELECT 'locked';\n")
	check(t, err)
	said := make([]byte, len("locked\n"))
	if _, err := io.ReadFull(out, said); err != nil || string(said) != "locked\n" {
		t.Fatalf("got output %q, %v, want locked", said, err)
	}
	done := make(chan uint64)
	go func() { done <- c.submit() }()
	select {
	case <-done:
		t.Fatal("got a write under another process's lock, want none")
	case <-time.After(1500 * time.Millisecond): // longer than SQLite's own busy timeout
	}
	if j := c.job(1); j.Status != ffrtmp.Pending {
		t.Fatalf("got %+v, want a pending job", j)
	}
	_, err = io.WriteString(in, "ROLLBACK;\n")
	check(t, err)
	if seq := <-done; seq != 2 {
		t.Fatalf("got job %d, want 2", seq)
	}
	check(t, in.Close())
	check(t, operator.Wait())
}

// A crashed process's state is trusted under the same boot if SQLite finds it intact.
func TestVerify_AfterCrash(t *testing.T) {
	for _, test := range []struct {
		name   string
		bootID string
		damage bool
		trust  bool
	}{
		{"same boot", "boot-1", false, true},
		{"another boot", "boot-2", false, false},
		{"same boot, damaged", "boot-1", true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			c := openCluster(t, Options{Path: filepath.Join(dir, "master.db"), Dir: dir, bootID: "boot-1"})
			for range 100 {
				c.submit()
			}
			c.settle()
			c.collectLong()
			settled := c.fsm.Index()
			c.submit()
			copied := filepath.Join(t.TempDir(), "copy")
			check(t, exec.Command("cp", "-a", dir, copied).Run())
			if test.damage {
				damage(t, copied)
			}
			f, err := Open(Options{Path: filepath.Join(copied, "master.db"), Dir: copied, bootID: test.bootID})
			check(t, err)
			defer func() { check(t, f.Close()) }()
			if err := f.Verify(); (err == nil) != test.trust {
				t.Fatalf("Verify: got %v", err)
			}
			if test.trust {
				if f.Index() != settled {
					t.Fatalf("got index %d, want %d", f.Index(), settled)
				}
			} else {
				check(t, f.Discard())
				if index, term := f.Applied(); index != 0 || term != 0 {
					t.Fatalf("discarded state: got index %d of term %d, want 0 of 0", index, term)
				}
			}
			f.ApplyBatch(c.entries)
			one, err := f.ContentHash(t.Context())
			check(t, err)
			if one != c.hash() {
				t.Fatal("got another state from the log")
			}
		})
	}
}

// A lost link is made again: the state that it pointed to is there.
func TestOpen_LostLink(t *testing.T) {
	dir := t.TempDir()
	c := openCluster(t, Options{Path: filepath.Join(dir, "master.db"), Dir: dir})
	c.submit()
	before := c.hash()
	check(t, c.fsm.Close())
	check(t, os.Remove(c.opts.Path))
	f, err := Open(c.opts)
	check(t, err)
	defer func() { check(t, f.Close()) }()
	check(t, f.Verify())
	if got, err := f.ContentHash(t.Context()); err != nil || got != before {
		t.Errorf("got another state (%v), want the same", err)
	}
	if _, err := os.Readlink(c.opts.Path); err != nil {
		t.Error(err)
	}
}

// A file in the link's place is not touched, and the error says where the state is.
func TestOpen_ReplacedLink(t *testing.T) {
	dir := t.TempDir()
	c := openCluster(t, Options{Path: filepath.Join(dir, "master.db"), Dir: dir})
	c.submit()
	state := c.fsm.state.Path()
	check(t, c.fsm.Close())
	check(t, os.Remove(c.opts.Path))
	write(t, c.opts.Path, "")
	_, err := Open(c.opts)
	if !errors.Is(err, store.ErrForeign) || !strings.Contains(err.Error(), state) ||
		!strings.Contains(err.Error(), "move "+c.opts.Path+" away") {
		t.Errorf("got %v, want the names of link and state", err)
	}
	if data, err := os.ReadFile(c.opts.Path); err != nil || len(data) > 0 {
		t.Errorf("got %q (%v), want an untouched file", data, err)
	}
}

// damage overwrites the middle of the state file, after its WAL has been put into it.
func damage(t *testing.T, dir string) {
	t.Helper()
	path, err := filepath.EvalSymlinks(filepath.Join(dir, "master.db"))
	check(t, err)
	shell(t, path, "PRAGMA wal_checkpoint(TRUNCATE)")
	data, err := os.ReadFile(path)
	check(t, err)
	copy(data[len(data)/2&^4095:], bytes.Repeat([]byte{0xff}, 4096))
	check(t, os.WriteFile(path, data, 0o600))
}

// A cleanly closed state is trusted after a reboot.
func TestClose_TrustedAfterReboot(t *testing.T) {
	dir := t.TempDir()
	c := openCluster(t, Options{Path: filepath.Join(dir, "master.db"), Dir: dir, bootID: "boot-1"})
	c.submit()
	before := c.hash()
	c.opts.bootID = "boot-2"
	c.reopen()
	if c.hash() != before {
		t.Fatal("got another state, want the same")
	}
}

// Files of an interrupted restore are removed.
func TestOpen_RemovesLeftovers(t *testing.T) {
	c := newCluster(t)
	c.submit()
	left := filepath.Join(c.opts.Dir, "state-left.db")
	write(t, left, "partial")
	c.reopen()
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v, want the file removed", err)
	}
	if c.job(1).Status != ffrtmp.Pending {
		t.Fatal("got another state, want the job pending")
	}
}

// A corrupt snapshot is rejected and the state stays.
func TestRestore_CorruptSnapshot(t *testing.T) {
	c := newCluster(t)
	c.submit()
	image := c.snapshot()
	image[len(image)/2] ^= 1
	if err := c.fsm.Restore(io.NopCloser(bytes.NewReader(image))); !errors.Is(err, snapshot.ErrCorrupt) {
		t.Fatalf("got %v", err)
	}
	c.submit()
	if c.job(2).Status != ffrtmp.Pending {
		t.Fatal("got another state, want the job pending")
	}
	found, err := filepath.Glob(filepath.Join(c.opts.Dir, snapshot.FilePattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("got state files %v, %v, want one", found, err)
	}
}

// After a failed sync the state is not trusted again.
func TestSnapshot_FailedSync(t *testing.T) {
	for _, name := range []string{"database", "WAL"} {
		t.Run(name, func(t *testing.T) {
			fatal := make(chan error, 1)
			dir := t.TempDir()
			c := openCluster(t, Options{
				Path: filepath.Join(dir, "master.db"), Dir: filepath.Join(dir, "master.raft"),
				Fatal: func(err error) { fatal <- err },
			})
			c.submit()
			s, err := c.fsm.Snapshot()
			check(t, err)
			defer s.Release()
			r, w, err := os.Pipe() // which cannot be synced
			check(t, err)
			defer r.Close()
			defer w.Close()
			s.(*captured).files[map[string]int{"database": 0, "WAL": 1}[name]] = w
			if err := s.Persist(&memorySink{}); !errors.Is(err, syscall.EINVAL) {
				t.Fatalf("got %v, want EINVAL", err)
			}
			if err := <-fatal; !errors.Is(err, syscall.EINVAL) {
				t.Fatalf("got fatal error %v, want one", err)
			}
			check(t, c.fsm.Close())
			c.fsm = c.open()
			if err := c.fsm.Verify(); err == nil {
				t.Fatal("got a trusted state, want an error")
			}
		})
	}
}

// A snapshot does not include entries applied after it was taken.
func TestSnapshot_Isolation(t *testing.T) {
	c := newCluster(t)
	c.submit()
	s, err := c.fsm.Snapshot()
	check(t, err)
	defer s.Release()
	index := c.fsm.Index()
	before := c.hash()
	c.submit()
	var sink memorySink
	check(t, s.Persist(&sink))
	if got, err := c.fsm.SnapshotIndex(bytes.NewReader(sink.Bytes())); err != nil || got != index {
		t.Fatalf("got manifest index %d, %v, want that of the snapshot", got, err)
	}
	check(t, c.fsm.Restore(io.NopCloser(&sink)))
	if c.fsm.Index() != index || c.hash() != before {
		t.Fatal("got a later state, want that of the snapshot")
	}
}

// Close removes an in-memory state.
func TestMemory_RemovedOnClose(t *testing.T) {
	c := openCluster(t, Options{})
	c.submit()
	dir := c.fsm.files.Dir()
	c.restoreInPlace(c.snapshot())
	if c.job(1).Status != ffrtmp.Pending {
		t.Fatal("got another state, want the job pending")
	}
	check(t, c.fsm.Close())
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%s: got %v, want it removed", dir, err)
	}
}

func (c *cluster) restoreInPlace(image []byte) {
	c.Helper()
	if err := c.fsm.Restore(io.NopCloser(bytes.NewReader(image))); err != nil {
		c.Fatal(err)
	}
}

// Entries that were applied before are skipped.
func TestApplyBatch_SkipsApplied(t *testing.T) {
	c := newCluster(t)
	c.submit()
	c.reopen()
	before := c.hash()
	fresh := &raft.Log{Index: 2, Term: 1, Type: raft.LogConfiguration}
	answers := c.fsm.ApplyBatch([]*raft.Log{c.entries[0], fresh})
	if len(answers) != 2 || answers[0] != nil || answers[1] != nil {
		t.Fatalf("got responses %v, want two of nil", answers)
	}
	if index, term := c.fsm.Applied(); index != 2 || term != 1 {
		t.Fatalf("got index %d of term %d, want 2 of 1", index, term)
	}
	if c.hash() == before || c.fsm.Counts().Submitted != 1 {
		t.Fatal("got the same hash or another number of jobs, want only a new index")
	}
}
