package snapshot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
)

// Damage at random places and at the boundaries of the format is rejected.
func TestInstall_Damage(t *testing.T) {
	stream := capture(t, newDB(t, 300))
	rng := rand.New(rand.NewPCG(1, 2))
	places := []int{
		0, 1, 7, 8, 11, 12, 100, len(stream) - 1, len(stream) - sha256.Size, len(stream) - sha256.Size - 1,
		len(stream) / 2,
	}
	for range 100 {
		places = append(places, rng.IntN(len(stream)))
	}
	dir := t.TempDir()
	refuse := func(what string, damaged []byte) {
		t.Helper()
		path, _, err := Install(bytes.NewReader(damaged), dir)
		if err == nil || path != "" {
			t.Fatalf("%s: accepted", what)
		}
		expectEmpty(t, dir)
	}
	for _, at := range places {
		bit := rng.IntN(8)
		flipped := bytes.Clone(stream)
		flipped[at] ^= 1 << bit
		refuse(fmt.Sprintf("bit %d of byte %d flipped", bit, at), flipped)
		refuse(fmt.Sprintf("cut off at %d", at), stream[:at])
		refuse(fmt.Sprintf("byte %d left out", at), slices.Delete(bytes.Clone(stream), at, at+1))
		garbage := make([]byte, 1+rng.IntN(200))
		for i := range garbage {
			garbage[i] = byte(rng.Uint32())
		}
		refuse(fmt.Sprintf("%d bytes of garbage at the end", len(garbage)), append(bytes.Clone(stream), garbage...))
		refuse(fmt.Sprintf("zeros from %d on", at), append(bytes.Clone(stream[:at]), make([]byte, len(stream)-at+1)...))
	}
	refuse("twice", append(bytes.Clone(stream), stream...))
	refuse("an empty zstd frame more", append(bytes.Clone(stream), 0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x00, 0x01, 0x00,
		0x00))
	if _, _, err := Install(bytes.NewReader(stream), dir); err != nil {
		t.Errorf("the undamaged snapshot: %v", err)
	}
}

// Invalid content is rejected although its checksum is right.
func TestInstall_InvalidContent(t *testing.T) {
	image := pin(t, newDB(t, 300))
	var pages bytes.Buffer
	if err := image.writePages(context.Background(), &pages); err != nil {
		t.Fatal(err)
	}
	good := pages.Bytes()
	broken := bytes.Clone(good)
	for i := 2*4096 + 1; i < 3*4096; i += 7 { // the inside of a page, all checksums right
		broken[i] ^= 0xff
	}
	forge := func(m Manifest, content []byte) []byte {
		var out bytes.Buffer
		if err := writeManifest(&out, m); err != nil {
			t.Fatal(err)
		}
		enc, err := zstd.NewWriter(&out)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := enc.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := enc.Close(); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(out.Bytes())
		return append(out.Bytes(), sum[:]...)
	}
	sized := func(version int, size int) Manifest { return Manifest{FormatVersion: version, Size: int64(size)} }
	for _, tt := range []struct {
		name    string
		stream  []byte
		corrupt bool
	}{
		{"a broken page", forge(sized(1, len(good)), broken), true},
		{"not SQLite at all", forge(sized(1, 8192), bytes.Repeat([]byte("x"), 8192)), true},
		{"smaller than said", forge(sized(1, len(good)+4096), good), true},
		{"larger than said", forge(sized(1, len(good)-4096), good), true},
		{"no size", forge(sized(1, 0), nil), true},
		{"a later format", forge(sized(2, len(good)), good), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			_, _, err := Install(bytes.NewReader(tt.stream), dir)
			if err == nil {
				t.Fatal("accepted")
			}
			if errors.Is(err, ErrCorrupt) != tt.corrupt {
				t.Errorf("got %v; corrupt: want %v", err, tt.corrupt)
			}
			expectEmpty(t, dir)
		})
	}
	if _, _, err := Install(bytes.NewReader(forge(sized(1, len(good)), good)), t.TempDir()); err != nil {
		t.Errorf("the forger itself is wrong: %v", err)
	}
}

// A failing reader or disk is not reported as corruption.
func TestInstall_IOError(t *testing.T) {
	stream := capture(t, newDB(t, 300))
	broken := errors.New("connection reset")
	for _, at := range []int{0, 5, 50, len(stream) / 2, len(stream) - 40, len(stream) - 1, len(stream)} {
		dir := t.TempDir()
		_, _, err := Install(io.MultiReader(bytes.NewReader(stream[:at]), iotest.ErrReader(broken)), dir)
		if !errors.Is(err, broken) || errors.Is(err, ErrCorrupt) {
			t.Errorf("reader failed at %d: got %v", at, err)
		}
		expectEmpty(t, dir)
	}
	if _, _, err := Install(bytes.NewReader(stream), t.TempDir()+"/missing"); err == nil || errors.Is(err, ErrCorrupt) {
		t.Errorf("no such directory: got %v", err)
	}
	if _, _, err := Install(iotest.OneByteReader(bytes.NewReader(stream)), t.TempDir()); err != nil {
		t.Errorf("a slow reader: %v", err)
	}
}
