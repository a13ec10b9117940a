package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A log is bounded and keeps its tail.
func TestLog_Bounded(t *testing.T) {
	dir := t.TempDir()
	w, err := newLogWriter(dir, strings.NewReplacer("key", "REDACTED"))
	must(t, err)
	var all strings.Builder
	for i := range 40_000 {
		written, err := w.line(fmt.Sprintf("line %d with a key and some more words", i))
		must(t, err)
		all.WriteString(written + "\n")
	}
	must(t, w.file.Close())
	whole := all.String()
	var onDisk int64
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	for _, name := range names {
		info, err := os.Stat(name)
		must(t, err)
		onDisk += info.Size()
	}
	if onDisk > MaxLogBytes || onDisk < segmentBytes {
		t.Errorf("got %d bytes on disk, want %d to %d", onDisk, segmentBytes, MaxLogBytes)
	}
	// From the start, in small pieces: the head is gone, the rest has no gap.
	var got []byte
	offset, first := int64(0), int64(-1)
	for {
		data, from, err := readLog(dir, offset, 1000)
		must(t, err)
		if len(data) == 0 {
			break
		}
		if first < 0 {
			first = from
		} else if from != offset {
			t.Fatalf("got offset %d, want %d", from, offset)
		}
		got = append(got, data...)
		offset = from + int64(len(data))
	}
	if offset != int64(len(whole)) || string(got) != whole[first:] || first == 0 {
		t.Errorf("got %d bytes from %d, want the tail of %d", len(got), first, len(whole))
	}
	if strings.Contains(string(got), "key") {
		t.Error("got the secret in the log, want it redacted")
	}
	if data, from, err := readLog(dir, offset+100, 10); len(data) != 0 || from != offset+100 || err != nil {
		t.Errorf("past the end: got %q at %d (%v), want nothing", data, from, err)
	}
}
