package ffrtmp

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// Whatever an agent sends, what is stored is small, valid JSON, and has lists of one length.
func TestMedia_Bounded(t *testing.T) {
	long := strings.Repeat("ü", 1000)
	file := &MediaFile{Format: long, DurationSeconds: math.Inf(1), SizeBytes: -1}
	for range 100 {
		s := MediaStream{Type: long, Codec: long, FPS: math.NaN(), Rotation: -90, Width: -2}
		file.Streams = append(file.Streams, s)
	}
	series := &Series{}
	for i := range 1000 {
		series.Seconds = append(series.Seconds, i-1)
		series.FPS = append(series.FPS, 29.123456)
		series.Speed = append(series.Speed, math.NaN())
		series.Kilobits = append(series.Kilobits, math.MaxFloat64)
	}
	series.Speed = series.Speed[:900]
	m := (&Media{Input: file, Output: file, Series: series}).Bounded()
	text, err := json.Marshal(m)
	if err != nil || len(text) > 40_000 {
		t.Fatalf("got %d bytes, %v, want at most 40,000", len(text), err)
	}
	if got := m.Series; len(got.Seconds) != MaxPoints || len(got.Speed) != MaxPoints || got.Seconds[0] != 0 ||
		got.FPS[0] != 29.12 || got.Speed[0] != 0 {
		t.Errorf("got %+v, want %d rounded points", got, MaxPoints)
	}
	if s := m.Input.Streams; len(s) != 16 || s[0].Rotation != -90 || s[0].Width != 0 || len(s[0].Codec) > 64 ||
		m.Input.DurationSeconds > 1e12 {
		t.Errorf("got %+v, want 16 bounded streams", m.Input)
	}
	if series.Seconds[0] != -1 || file.Streams[0].Width != -2 {
		t.Error("got a changed argument, want a copy")
	}
}

// Nothing, and what is empty, is stored as nothing.
func TestMedia_BoundedNothing(t *testing.T) {
	for _, m := range []*Media{nil, {}, {Series: &Series{}}, {Series: &Series{Seconds: []int{1}}}} {
		if got := m.Bounded(); got != nil {
			t.Errorf("got %+v, want nil", got)
		}
	}
	if got := (&Media{Input: &MediaFile{}}).Bounded(); got == nil || got.Input.Streams == nil {
		t.Errorf("got %+v, want an input with an empty list of streams", got)
	}
}
