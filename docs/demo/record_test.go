package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The recording is well-formed XML with one text per line, escaped.
func TestRecord_WritesLinesInOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.svg")
	if err := record(t.Context(), path, "try", []string{"printf", `a & b\n  kill -9 <m>\n`}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"$ try", "a & b", "  kill -9 <m>"}
	if got := texts(t, string(data)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A failing command leaves no recording.
func TestRecord_FailingCommand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.svg")
	if err := record(t.Context(), path, "try", []string{"false"}); err == nil {
		t.Error("got no error")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want no file", err)
	}
}

// Long pauses are cut, short ones kept.
func TestPace(t *testing.T) {
	got := pace([]line{{}, {at: 10 * time.Second}, {at: 11 * time.Second}, {at: time.Minute}})
	want := []time.Duration{0, startPause, startPause + time.Second, startPause + time.Second + longestPause}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// texts returns the contents of the text elements.
func texts(t *testing.T, svg string) []string {
	t.Helper()
	var list []string
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "text" {
			continue
		}
		var s string
		if err := d.DecodeElement(&s, &start); err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
}
