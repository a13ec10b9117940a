package snapshot

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The installed database is identical.
func TestInstall_RoundTrip(t *testing.T) {
	db := newDB(t, 5000)
	dir := filepath.Join(t.TempDir(), "odd name?#%41")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path, m, err := Install(bytes.NewReader(capture(t, db)), dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	want := manifest
	want.FormatVersion, want.Size = 1, info.Size()
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}
	if info.Mode() != 0o600 {
		t.Errorf("mode %s", info.Mode())
	}
	if matched, err := filepath.Match(FilePattern, filepath.Base(path)); !matched || err != nil {
		t.Errorf("%s does not match %s", path, FilePattern)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("beside the database: %v", entries)
	}
	moved := filepath.Join(t.TempDir(), "moved.db") // the harness opens it by a plain name
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	if content(t, moved) != contentOf(t, db) {
		t.Error("the content differs")
	}
}

func TestInstall_RelativePath(t *testing.T) {
	stream := capture(t, newDB(t, 1))
	t.Chdir(t.TempDir())
	path, _, err := Install(bytes.NewReader(stream), ".")
	if err != nil {
		t.Fatal(err)
	}
	if got := content(t, path); got == "" {
		t.Error("the database is empty")
	}
}

// Writes after Pin are not in the image.
func TestImage_Isolation(t *testing.T) {
	db := newDB(t, 5000)
	want := contentOf(t, db)
	img := pin(t, db)
	exec(t, db, "UPDATE item SET body = 'changed after the pin ' || id")

	var stream bytes.Buffer
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			_, err := db.Exec("INSERT INTO item (body) VALUES (?)", i)
			if err == nil {
				_, err = db.Exec("DELETE FROM item WHERE id % 100 = ?", i%100)
			}
			if err == nil {
				_, err = db.Exec("PRAGMA wal_checkpoint(passive)")
			}
			if err != nil {
				t.Errorf("a writer was disturbed by the image: %v", err)
				return
			}
		}
	})
	err := img.Write(context.Background(), &stream, manifest)
	close(stop)
	writer.Wait()
	if err != nil {
		t.Fatal(err)
	}
	var rows int
	if err := img.QueryRowContext(context.Background(),
		"SELECT count(*) FROM item WHERE body LIKE 'job number%'").Scan(&rows); err != nil {
		t.Fatal(err)
	}
	if rows != 5000 {
		t.Errorf("the image itself shows %d of 5000 rows", rows)
	}
	path, _, err := Install(&stream, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if content(t, path) != want {
		t.Error("the snapshot holds writes from after the pin")
	}
	if contentOf(t, db) == want {
		t.Error("the writer did not write: the test proves nothing")
	}
}

// The manifest is read without the body.
func TestReadManifest_Prefix(t *testing.T) {
	stream := bytes.NewReader(capture(t, newDB(t, 5000)))
	m, err := ReadManifest(io.LimitReader(stream, 400))
	if err != nil {
		t.Fatal(err)
	}
	if m.Index != manifest.Index || m.Term != manifest.Term {
		t.Errorf("%+v", m)
	}
	rest, err := io.ReadAll(stream)
	if err != nil {
		t.Fatal(err)
	}
	if zstdMagic := []byte{0x28, 0xb5, 0x2f, 0xfd}; !bytes.HasPrefix(rest, zstdMagic) {
		t.Errorf("more than the manifest was read: then come %x", rest[:4])
	}
}

// Write ends with its context or its writer's error.
func TestWrite_Errors(t *testing.T) {
	db := newDB(t, 5000)
	ctx, cancel := context.WithCancel(context.Background())
	img, err := Pin(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := img.Write(ctx, io.Discard, manifest); err == nil {
		t.Error("got a snapshot after the context was done, want an error")
	}
	if err := img.Close(); err != nil {
		t.Error(err)
	}

	full := errors.New("no space left")
	err = pin(t, db).Write(context.Background(), &failingWriter{left: 10_000, err: full}, manifest)
	if !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
}

// failingWriter fails after a number of bytes.
type failingWriter struct {
	left int
	err  error
}

func (w *failingWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		return 0, w.err
	}
	w.left -= len(p)
	return len(p), nil
}
