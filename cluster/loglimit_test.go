package cluster

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Repeated warnings are counted, for each peer separately.
func TestLimitLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		log := limitLog(hclog.New(&hclog.LoggerOptions{Output: &out, DisableTime: true}))
		for range 100 {
			log.Error("failed to heartbeat to", "peer", "a", "error", "refused")
			log.Error("failed to heartbeat to", "peer", "b", "error", "refused")
			time.Sleep(100 * time.Millisecond) // virtual
		}
		if got := strings.Count(out.String(), "\n"); got != 2 {
			t.Fatalf("got %d lines, want 2:\n%s", got, out.String())
		}
		out.Reset()
		time.Sleep(limitInterval) // virtual
		log.Error("failed to heartbeat to", "peer", "a", "error", "refused")
		for _, want := range []string{"peer=a", "repeated=99"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("got %q, want %q in it", out.String(), want)
			}
		}
	})
}
