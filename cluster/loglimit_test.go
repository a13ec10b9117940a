package cluster

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

func TestRepeatedWarningsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		log := limitLog(hclog.New(&hclog.LoggerOptions{Output: &out, DisableTime: true}))
		for range 100 {
			log.Error("failed to heartbeat to", "peer", "a", "error", "refused")
			log.Error("failed to heartbeat to", "peer", "b", "error", "refused")
			<-time.After(100 * time.Millisecond)
		}
		if got := strings.Count(out.String(), "\n"); got != 2 {
			t.Fatalf("%d lines in 10 s, want one for each peer:\n%s", got, out.String())
		}
		out.Reset()
		<-time.After(limitInterval)
		log.Error("failed to heartbeat to", "peer", "a", "error", "refused")
		if got := out.String(); !strings.Contains(got, "peer=a") || !strings.Contains(got, "repeated=99") {
			t.Fatalf("after %s: %q, want the line with the number that was left out", limitInterval, got)
		}
	})
}
