package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// slowTrials makes the site's ffmpeg wait before the trials of some encoders until they are released. Others fail.
func (s *site) slowTrials(encoders ...string) (release func(encoder string)) {
	s.t.Helper()
	dir := s.t.TempDir()
	script := "#!/bin/sh\ncase \"$*\" in\n*testsrc2=size=320x240:rate=10*)\ncase \"$*\" in\n"
	for _, encoder := range encoders {
		script += fmt.Sprintf("*%s*) while [ ! -e %s/%s ]; do sleep 0.05; done ;;\n", encoder, dir, encoder)
	}
	script += fmt.Sprintf("*) exit 1 ;;\nesac ;;\nesac\nexec %s \"$@\"\n", s.ffmpeg)
	path := filepath.Join(dir, "ffmpeg")
	if err := writeScript(path, script); err != nil {
		s.t.Fatal(err)
	}
	s.ffmpeg = path
	return func(encoder string) {
		if err := os.WriteFile(filepath.Join(dir, encoder), nil, 0o600); err != nil {
			s.t.Error(err)
		}
	}
}

// The node registers before the encoders are tried, and again with each one that works. Jobs wait for theirs.
func TestTrials_InBackground(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	release := s.slowTrials("libx264", "libx265")
	a, _ := s.start()
	testkit.Eventually(t, "the node is registered", func() bool { return a.Ready() == nil })
	encoders := func() []string {
		n, err := f.client.Node(t.Context(), a.NodeID())
		f.must(err)
		return n.Encoders
	}
	if got := encoders(); slices.Contains(got, "libx264") || slices.Contains(got, "libx265") {
		t.Errorf("before the trials: got encoders %v, want none of those tried", got)
	}
	id := f.submit("360p-h264", short)
	if j, err := f.client.Job(t.Context(), id); err != nil || j.Status != ffrtmp.Pending {
		t.Errorf("got job %s, %v, want pending", j.Status, err)
	}
	release("libx264")
	f.awaitStatus(id, ffrtmp.Completed)
	if got := encoders(); !slices.Contains(got, "libx264") || slices.Contains(got, "libx265") {
		t.Errorf("after one trial: got encoders %v, want libx264 and not libx265", got)
	}
	release("libx265")
	testkit.Eventually(t, "the last encoder is known", func() bool { return slices.Contains(encoders(), "libx265") })
}

// A failing ffmpeg does not end the agent, and the trials end with it.
func TestTrials_Fail(t *testing.T) {
	t.Parallel()
	_, s := newMastersAndSite(t)
	path := filepath.Join(t.TempDir(), "ffmpeg")
	if err := writeScript(path, "#!/bin/sh\ncase \"$*\" in *-encoders*) exit 1 ;; esac\necho ffmpeg\n"); err != nil {
		t.Fatal(err)
	}
	s.ffmpeg = path
	var log testkit.Buffer
	s.log = hclog.New(&hclog.LoggerOptions{Output: &log})
	a, stop := s.start()
	testkit.Eventually(t, "the failure is logged", func() bool {
		return strings.Contains(log.String(), "cannot try encoders; retrying")
	})
	if err := a.Ready(); err != nil {
		t.Errorf("got %v, want a node that is ready", err)
	}
	stop()
}
