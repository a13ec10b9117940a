package supervisor

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
	"github.com/ffrtmp/ffrtmp/internal/rtmptest"
)

// endless streams noise, so that the buffers between ffmpeg and the server fill up soon.
func endless(t *testing.T, url string) recipe.Plan {
	t.Helper()
	e := small(7200, ffrtmp.ToRTMP)
	e.Width, e.Height, e.FPS, e.Bitrate, e.URL = 640, 360, 60, "100M", url+"/the-key"
	return plan(t, e)
}

// A stream is hung when its output time stands still.
func TestStream_ServerStalls(t *testing.T) {
	t.Parallel()
	server := rtmptest.New(t)
	a := attempt(t, realFFmpeg(t), endless(t, server.URL()))
	a.HangAfter = 30 * time.Second // on a busy machine ffmpeg takes that long to begin
	run := start(t, a)
	eventually(t, "the server has two seconds of the stream", func() bool {
		s, ok := server.Streams()["the-key"]
		return ok && s.Clients[0].Timestamp > 2000
	})
	if s := server.Streams()["the-key"].Clients[0]; s.Timestamp > s.Connected+1000 {
		t.Errorf("got %d ms of the stream in %d ms, want it no faster than it plays", s.Timestamp, s.Connected)
	}
	if s := state(t, run); !s.Running || s.Progress.OutTimeSeconds == 0 {
		t.Fatalf("got %+v, want it running\n%s", s, logText(t, run))
	}
	server.Freeze()
	frozen := time.Now()
	if e := wait(t, run); e.End != Failed || e.Reason != ffrtmp.Hung || !strings.Contains(e.Error, "no progress") {
		t.Errorf("got %+v, want it hung", e)
	}
	t.Logf("hung %s after the server froze", time.Since(frozen).Round(time.Millisecond))
}

// A stream is hung when its server never answers.
func TestStream_ServerSilent(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and no more
	must(t, err)
	defer silent.Close()
	a := attempt(t, realFFmpeg(t), endless(t, "rtmp://"+silent.Addr().String()+"/live"))
	a.HangAfter = time.Second
	if e := wait(t, start(t, a)); e.End != Failed || e.Reason != ffrtmp.Hung {
		t.Errorf("got %+v, want it hung", e)
	}
}

// A server that dies is a network error.
func TestStream_ServerDies(t *testing.T) {
	t.Parallel()
	server := rtmptest.New(t)
	run := start(t, attempt(t, realFFmpeg(t), endless(t, server.URL())))
	eventually(t, "the server receives the stream", func() bool { return server.Streams()["the-key"].Received > 0 })
	server.Kill()
	e := wait(t, run)
	if e.End != Failed || e.Reason != ffrtmp.NetworkError || e.Error != "RTMP server closed the connection" {
		t.Errorf("got %+v, want a network error\n%s", e, logText(t, run))
	}
}
