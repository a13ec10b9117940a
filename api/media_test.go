package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// What an attempt read and wrote is kept with it, up to a bound, and replicated.
func TestMedia(t *testing.T) {
	m, follower, _ := pair(t)
	m.register(nodeA)
	m.submit(`{"scenario":"720p"}`)
	media := func(on *master, query string) (got ffrtmp.JobMedia) {
		t.Helper()
		on.want(200, "GET", "/jobs/1/media"+query, "").decode(t, &got)
		return got
	}
	if got := media(m, ""); got.Attempt != 0 || got.Media != (ffrtmp.Media{}) {
		t.Errorf("got %+v before an attempt, want nothing", got)
	}
	j := m.claim(nodeA)
	if got := media(m, ""); got.Attempt != 1 || got.Media != (ffrtmp.Media{}) {
		t.Errorf("got %+v while it runs, want nothing", got)
	}
	points := strings.TrimSuffix(strings.Repeat("1,", 500), ",")
	more := fmt.Sprintf(`,"media":{"input":{"format":"mov","streams":[{"type":"video","codec":"h264","width":64}]},
		"series":{"seconds":[%[1]s],"fps":[%[1]s],"speed":[%[1]s],"kilobits_a_second":[%[1]s]}}`, points)
	m.want(200, "POST", "/results", result(j, "failed", `,"error":"no","failure_reason":"runtime_error"`+more))
	for _, on := range []*master{m, follower} {
		got := media(on, "?attempt=1")
		if got.Attempt != 1 || got.Input == nil || got.Input.Streams[0].Width != 64 || got.Output != nil ||
			len(got.Series.FPS) != ffrtmp.MaxPoints {
			t.Errorf("got %+v, want the input and %d points", got, ffrtmp.MaxPoints)
		}
	}
	m.want(404, "GET", "/jobs/1/media?attempt=2", "")
	m.want(404, "GET", "/jobs/2/media", "")
	m.want(400, "GET", "/jobs/1/media?attempt=0", "")
	m.want(400, "GET", "/jobs/1/media?attempts=1", "")
}
