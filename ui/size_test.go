package ui

import "testing"

// maxAssets bounds all scripts and styles together, in bytes on the wire.
const maxAssets = 150_000

// All scripts and styles, of third parties too, load in less than 150 kB.
func TestAssets_Size(t *testing.T) {
	a, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for name, f := range a.files {
		total += len(f.packed)
		t.Logf("%s: %d bytes, %d with gzip", name, len(f.data), len(f.packed))
	}
	if total >= maxAssets {
		t.Errorf("got %d bytes, want less than %d", total, maxAssets)
	}
}
