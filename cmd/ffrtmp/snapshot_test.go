package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/mastertest"
	"github.com/ffrtmp/ffrtmp/master"
)

// snapshotMaster is a real master with two jobs, and the environment to reach it.
func snapshotMaster(t *testing.T) (*mastertest.Master, []string) {
	t.Helper()
	m := mastertest.Start(t, nil)
	for range 2 {
		if _, err := m.Client.Submit(t.Context(), ffrtmp.Spec{Scenario: "720p"}); err != nil {
			t.Fatal(err)
		}
	}
	return m, []string{"MASTER_URL=" + m.URL(), "TMPDIR=" + t.TempDir()}
}

// saveSnapshot saves a snapshot, and returns its file and content.
func saveSnapshot(t *testing.T, env []string) (file string, content []byte) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "b.snap")
	if r := invoke(t, env, "", "snapshot", "save", file); r.code != exitDone {
		t.Fatal(r.err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return file, content
}

// A file of another kind, and a directory that does not exist, are named in the words of the user.
func TestSnapshot_WrongFile(t *testing.T) {
	_, env := snapshotMaster(t)
	dir := t.TempDir()
	other := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(other, []byte("notes"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"inspect"}, {"verify"}, {"restore", "--yes"}} {
		r := invoke(t, env, "", append(append([]string{"snapshot"}, args...), other)...)
		if want := other + " is neither a snapshot nor a copy of a master's database"; r.code != exitFailed ||
			!strings.Contains(r.err, want) {
			t.Errorf("%s: got code %d, %s, want 1, %s", args[0], r.code, r.err, want)
		}
	}
	file := filepath.Join(dir, "none", "b.snap")
	r := invoke(t, env, "", "snapshot", "save", file)
	if want := "directory of " + file + ": no such file or directory"; r.code != exitFailed ||
		!strings.Contains(r.err, want) {
		t.Errorf("save: got code %d, %s, want 1, %s", r.code, r.err, want)
	}
}

// A snapshot is saved with mode 0600, replaces an older one, and passes inspect and verify.
func TestSnapshot_SaveInspectVerify(t *testing.T) {
	_, env := snapshotMaster(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "b.snap")
	if err := os.WriteFile(file, []byte("older"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := invoke(t, env, "", "snapshot", "save", file)
	if r.code != exitDone {
		t.Fatalf("got code %d, want 0: %s", r.code, r.err)
	}
	mustContain(t, "the output", r.out, "Jobs", "2", "Saved.")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v, want 0600", info.Mode(), err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("got files %v, want the snapshot alone", left)
	}
	for _, verb := range []string{"inspect", "verify"} {
		r := invoke(t, env, "", "snapshot", verb, file, "-o", "json")
		var report snapshotReport
		if err := json.Unmarshal([]byte(r.out), &report); err != nil || r.code != exitDone {
			t.Fatalf("%s: got code %d, %v: %s%s", verb, r.code, err, r.out, r.err)
		}
		if report.Kind != "snapshot" || report.Jobs != 2 || report.Bytes != info.Size() || report.ClusterID == "" {
			t.Errorf("%s: got %+v, want a snapshot with 2 jobs", verb, report)
		}
	}
}

// A damaged snapshot, or another file, fails both checks with one line.
func TestSnapshot_Damaged(t *testing.T) {
	_, env := snapshotMaster(t)
	_, whole := saveSnapshot(t, env)
	flipped := append([]byte(nil), whole...)
	flipped[len(flipped)/2] ^= 0x10
	for name, data := range map[string][]byte{
		"truncated": whole[:len(whole)/2], "flipped": flipped, "text": []byte("hello"), "empty": nil,
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"inspect", "verify"} {
			r := invoke(t, env, "", "snapshot", verb, path)
			if r.code != exitFailed || r.out != "" || strings.Count(r.err, "\n") != 1 {
				t.Errorf("%s %s: got code %d, %q, want 1 and one line", verb, name, r.code, r.out+r.err)
			}
		}
	}
}

// A download that breaks is repeated from the start; one that stays broken leaves the older file.
func TestSnapshot_SaveBroken(t *testing.T) {
	_, env := snapshotMaster(t)
	_, whole := saveSnapshot(t, env)
	fake := newFakeMaster(t)
	tries := 0
	fake.handle("GET /cluster/snapshot", func(w http.ResponseWriter, _ *http.Request) {
		tries++
		w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
		if tries == 1 {
			_, _ = w.Write(whole[:len(whole)/2])
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(whole)
	})
	env = []string{"MASTER_URL=" + fake.server.URL, "FFRTMP_CA=" + fake.ca}
	again := filepath.Join(t.TempDir(), "again.snap")
	if r := invoke(t, env, "", "snapshot", "save", again); r.code != exitDone || tries != 2 {
		t.Errorf("got code %d after %d tries, want 0 after 2: %s", r.code, tries, r.err)
	}
	fake.handle("GET /cluster/snapshot", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(whole[:100]) })
	if r := invoke(t, env, "", "snapshot", "save", again); r.code != exitFailed {
		t.Errorf("got code %d for a short snapshot, want 1", r.code)
	}
	if data, err := os.ReadFile(again); err != nil || string(data) != string(whole) {
		t.Errorf("got another file after a failed save (%v), want the older one", err)
	}
}

// A snapshot, and a copy of a database, is restored into a fresh cluster, after a confirmation or with --yes.
func TestSnapshot_Restore(t *testing.T) {
	dir := t.TempDir()
	m := mastertest.Start(t, func(c *master.Config) { c.DB = filepath.Join(dir, "master.db") })
	if _, err := m.Client.Submit(t.Context(), ffrtmp.Spec{Scenario: "720p"}); err != nil {
		t.Fatal(err)
	}
	env := []string{"MASTER_URL=" + m.URL()}
	snap, copied := filepath.Join(dir, "b.snap"), filepath.Join(dir, "x")
	if r := invoke(t, env, "", "snapshot", "save", snap); r.code != exitDone {
		t.Fatal(r.err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "master.db"))
	if err == nil {
		_, err = db.ExecContext(t.Context(), "VACUUM INTO ?", copied) // as sqlite3's .backup
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{snap, copied} {
		fresh := mastertest.Start(t, nil)
		busy := mastertest.Start(t, nil)
		if _, err := busy.Client.Submit(t.Context(), ffrtmp.Spec{Scenario: "720p"}); err != nil {
			t.Fatal(err)
		}
		refused := invoke(t, []string{"MASTER_URL=" + busy.URL()}, "", "snapshot", "restore", file, "--yes")
		if file == snap { // of another cluster, which the copy does not know
			mustContain(t, "the refusal", refused.err, "--force")
		}
		env := []string{"MASTER_URL=" + fresh.URL()}
		r := invoke(t, env, "no\n", "snapshot", "restore", file)
		if r.code != exitFailed || !strings.Contains(r.err, "nothing was changed") {
			t.Errorf("got code %d, %q without a confirmation, want 1", r.code, r.err)
		}
		if r := invoke(t, env, "yes\n", "snapshot", "restore", file); r.code != exitDone {
			t.Errorf("got code %d, %s, want 0", r.code, r.err)
		}
		r = invoke(t, env, "", "snapshot", "restore", file, "--yes", "-o", "json")
		var restored ffrtmp.RestoredSnapshot
		if err := json.Unmarshal([]byte(r.out), &restored); err != nil || restored.Jobs != 1 || r.code != exitDone {
			t.Errorf("%s: got code %d, %+v, %v: %s", file, r.code, restored, err, r.err)
		}
		if j, err := fresh.Client.Job(t.Context(), "1"); err != nil || j.Status != ffrtmp.Pending {
			t.Errorf("got job %+v, %v, want it pending", j, err)
		}
	}
}

// A master that is started on a snapshot or a copy names the command to use, and changes nothing.
func TestSnapshot_AsDB(t *testing.T) {
	_, env := snapshotMaster(t)
	file, before := saveSnapshot(t, env)
	config := mastertest.Config(t)
	config.DB = file
	_, err := master.New(t.Context(), config)
	if err == nil || !strings.Contains(err.Error(), "ffrtmp snapshot restore "+file) {
		t.Errorf("got %v, want it to name ffrtmp snapshot restore", err)
	}
	r := invoke(t, env, "", "import", "--from", file)
	if r.code != exitFailed || !strings.Contains(r.err, "ffrtmp snapshot restore "+file) {
		t.Errorf("import: got code %d, %q, want 1 and ffrtmp snapshot restore", r.code, r.err)
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("got another file (%v), want it untouched", err)
	}
}
