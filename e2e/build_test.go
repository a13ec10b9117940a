package e2e

import (
	"debug/buildinfo"
	"path/filepath"
	"testing"
)

// The pinned versions work together without cgo; check each of them before an update.
func TestBuild_PinnedDependencies(t *testing.T) {
	want := map[string]string{
		"github.com/hashicorp/raft":           "v1.8.0",
		"github.com/hashicorp/raft-boltdb/v2": "v2.3.0", // 2.3.1 needs an older go-metrics than raft 1.8
		"github.com/hashicorp/memberlist":     "v0.7.0",
		"go.etcd.io/bbolt":                    "v1.4.3", // raft-boltdb alone selects 1.3.5
		"modernc.org/sqlite":                  "v1.60.1",
		"modernc.org/libc":                    "v1.77.1", // required by sqlite 1.60.1
	}
	info, err := buildinfo.ReadFile(filepath.Join(shared.bin, "master"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			t.Errorf("got %s replaced by %s, want no replacement", m.Path, m.Replace.Path)
		}
		if version, ok := want[m.Path]; ok && m.Version != version {
			t.Errorf("%s: got %s, want %s", m.Path, m.Version, version)
		}
		delete(want, m.Path)
	}
	for path := range want {
		t.Errorf("dependency %s missing", path)
	}
	for _, s := range info.Settings {
		if s.Key == "CGO_ENABLED" && s.Value != "0" {
			t.Errorf("got cgo on, want off")
		}
	}
}
