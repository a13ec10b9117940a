package snapshot

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// backUp returns a backup of a database with some rows.
func backUp(t testing.TB, rows int) (archive []byte, rowsOf string) {
	t.Helper()
	db := newDB(t, rows)
	var out bytes.Buffer
	if err := pin(t, db).WriteBackup(context.Background(), &out, manifest); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), contentOf(t, db)
}

// A backup installs as the database that it was made of.
func TestInstallBackup_RoundTrip(t *testing.T) {
	archive, want := backUp(t, 3000)
	path, m, err := InstallBackup(iotest.HalfReader(bytes.NewReader(archive)), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	wantManifest := manifest
	wantManifest.FormatVersion, wantManifest.Size = formatVersion, info.Size()
	if diff := cmp.Diff(wantManifest, m); diff != "" {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}
	if info.Mode() != 0o600 {
		t.Errorf("got mode %s, want 0600", info.Mode())
	}
	if content(t, path) != want {
		t.Error("got other rows than those saved")
	}
}

// tar and sha256sum read a backup, and its database opens in a directory that cannot be written.
func TestWriteBackup_StandardTools(t *testing.T) {
	archive, want := backUp(t, 300)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "b.snap"), archive, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"tar xf b.snap", "sha256sum -c SHA256SUMS"} {
		cmd := osexec.CommandContext(t.Context(), "sh", "-c", line)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
	if got := content(t, filepath.Join(dir, stateMember)); got != want {
		t.Error("got other rows than those saved")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*-wal")); left != nil {
		t.Errorf("got %v beside the extracted database, want no WAL", left)
	}
}

// A damaged backup is refused, wherever the damage is.
func TestReadBackup_Damage(t *testing.T) {
	archive, _ := backUp(t, 300)
	rng := rand.New(rand.NewPCG(3, 4))
	places := []int{0, 1, 2, 3, 10, 11, len(archive) - 1, len(archive) - 8, len(archive) - 9, len(archive) / 2}
	for range 100 {
		places = append(places, rng.IntN(len(archive)))
	}
	refuse := func(what string, damaged []byte) {
		t.Helper()
		dir := t.TempDir()
		path, _, err := InstallBackup(bytes.NewReader(damaged), dir)
		if err == nil || path != "" {
			t.Errorf("%s: accepted", what)
		} else if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: got %v, want it called corrupt", what, err)
		}
		expectEmpty(t, dir)
	}
	for _, at := range places {
		refuse(fmt.Sprintf("cut off at %d", at), archive[:at])
		refuse(fmt.Sprintf("byte %d left out", at), slices.Delete(bytes.Clone(archive), at, at+1))
		flipped := bytes.Clone(archive)
		flipped[at] ^= 1 << rng.IntN(8)
		refuse(fmt.Sprintf("a bit of byte %d flipped", at), flipped)
	}
	refuse("twice", append(bytes.Clone(archive), archive...))
	refuse("a byte more", append(bytes.Clone(archive), 0))
}

// repack decompresses a backup, changes its members and compresses it again.
func repack(t *testing.T, archive []byte, change func(h *tar.Header, data []byte) (keep bool, changed []byte)) []byte {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	in := tar.NewReader(zip)
	var out bytes.Buffer
	outZip := gzip.NewWriter(&out)
	outTar := tar.NewWriter(outZip)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		keep, data := change(h, data)
		if !keep {
			continue
		}
		h.Size = int64(len(data))
		if err := outTar.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := outTar.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(outTar.Close(), outZip.Close()); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(out.Bytes())
	return append(out.Bytes(), backupSeal(sum[:])...)
}

// A backup whose members do not fit together is refused although gzip and tar find nothing.
func TestReadBackup_Forged(t *testing.T) {
	archive, _ := backUp(t, 300)
	for _, tt := range []struct {
		name   string
		change func(h *tar.Header, data []byte) (bool, []byte)
		want   error
	}{
		{"unchanged otherwise", func(_ *tar.Header, d []byte) (bool, []byte) { return true, d }, nil},
		{"another byte in the database", func(h *tar.Header, d []byte) (bool, []byte) {
			if h.Name == stateMember {
				d[len(d)-1] ^= 1
			}
			return true, d
		}, ErrCorrupt},
		{"a shorter database", func(h *tar.Header, d []byte) (bool, []byte) {
			if h.Name == stateMember {
				d = d[:len(d)-4096]
			}
			return true, d
		}, ErrCorrupt},
		{"no checksums", func(h *tar.Header, d []byte) (bool, []byte) { return h.Name != sumsMember, d }, ErrCorrupt},
		{"no manifest", func(h *tar.Header, d []byte) (bool, []byte) {
			return h.Name != manifestMember, d
		}, ErrCorrupt},
		{"another name", func(h *tar.Header, d []byte) (bool, []byte) {
			if h.Name == stateMember {
				h.Name = "../state.db"
			}
			return true, d
		}, ErrCorrupt},
		{"a newer format", func(h *tar.Header, d []byte) (bool, []byte) {
			if h.Name == manifestMember {
				d = bytes.Replace(d, []byte(`"format_version": 1`), []byte(`"format_version": 2`), 1)
			}
			return true, d
		}, ErrVersion},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			_, _, err := InstallBackup(bytes.NewReader(repack(t, archive, tt.change)), dir)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if tt.want != nil {
				expectEmpty(t, dir)
			}
		})
	}
}

// An error of the reader or the disk is not the backup's.
func TestReadBackup_IOError(t *testing.T) {
	archive, _ := backUp(t, 300)
	broken := errors.New("connection reset")
	for _, at := range []int{0, 5, 50, len(archive) / 2, len(archive) - 1, len(archive)} {
		source := io.MultiReader(bytes.NewReader(archive[:at]), iotest.ErrReader(broken))
		if _, err := ReadBackup(source, io.Discard, nil); !errors.Is(err, broken) || errors.Is(err, ErrCorrupt) {
			t.Errorf("reader failed at %d: got %v, want %v", at, err, broken)
		}
	}
	full := errors.New("no space left")
	_, err := ReadBackup(bytes.NewReader(archive), &failingWriter{left: 10_000, err: full}, nil)
	if !errors.Is(err, full) || errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v, want %v", err, full)
	}
}

// Names of backups sort by time and say what the backup reflects.
func TestManifest_FileName(t *testing.T) {
	m := Manifest{Index: 42, CreatedAt: time.Date(2026, 11, 27, 9, 8, 7, 6e6, time.FixedZone("", 3600))}
	if got, want := m.FileName(), "ffrtmp-20261127T080807.006Z-42.snap"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
