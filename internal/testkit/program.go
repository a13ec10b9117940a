package testkit

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// StandIns returns a directory in which the test program has the names master and agent, for a TestMain that then
// stands in for them.
func StandIns(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"master", "agent"} {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Run calls run until the end of the test, which cancels its context, and fails the test on an error.
func Run(t testing.TB, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("got %v from Run, want none", err)
		}
	})
}
