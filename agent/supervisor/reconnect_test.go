package supervisor

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
	"github.com/ffrtmp/ffrtmp/internal/rtmptest"
)

// The budget is of losses in a row: sixty seconds of streaming restore it.
func TestBudget_Restored(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		allowed  int
		streamed []float64
		want     []time.Duration // -1: used up
	}{
		{0, []float64{1000}, []time.Duration{-1}},
		{3, []float64{0, 5, 59.9, 0}, []time.Duration{s, 2 * s, 4 * s, -1}},
		{3, []float64{0, 0, 0, 60, 0, 0, 0}, []time.Duration{s, 2 * s, 4 * s, s, 2 * s, 4 * s, -1}},
		{1, []float64{60, 3600, 60, 1}, []time.Duration{s, s, s, -1}},
		{
			ffrtmp.Forever,
			[]float64{0, 0, 0, 0, 0, 0, 0, 61, 0},
			[]time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 30 * s, 30 * s, s, 2 * s},
		},
	} {
		b := budget{allowed: c.allowed}
		var got []time.Duration
		for _, seconds := range c.streamed {
			pause, ok := b.spend(seconds)
			if !ok {
				pause = -1
			}
			got = append(got, pause)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%d lost connections allowed: got pauses %v, want %v", c.allowed, got, c.want)
		}
	}
}

// A stream survives the death of its server: it connects again and continues, as one run.
func TestStream_Reconnects(t *testing.T) {
	t.Parallel()
	server := rtmptest.New(t)
	p := endless(t, server.URL())
	p.Reconnect = ffrtmp.Forever
	run := start(t, attempt(t, realFFmpeg(t), p))
	received := func() bool { return server.Streams()["the-key"].Received > 0 }
	eventually(t, "the server receives the stream", received)
	eventually(t, "the stream is under way", func() bool { return state(t, run).Progress.OutTimeSeconds > 1 })
	server.Kill()
	eventually(t, "the loss is noticed", func() bool {
		return strings.Contains(logText(t, run), "connection lost after")
	})
	before := state(t, run)
	server.Start()
	eventually(t, "the server receives the stream again", received)
	eventually(t, "the stream continues", func() bool {
		return state(t, run).Progress.OutTimeSeconds > before.Progress.OutTimeSeconds+1
	})
	if s := state(t, run); !s.Running || s.Progress.Frame <= before.Progress.Frame {
		t.Errorf("got %+v after %+v, want it to continue", s, before)
	}
	e, err := run.Stop(ctx(t))
	must(t, err)
	if want := "the stream was interrupted: "; e.End != Stopped || len(e.Warnings) == 0 ||
		!strings.HasPrefix(e.Warnings[0], want) {
		t.Errorf("got %+v, want it stopped with the warning %q", e, want)
	}
}

// streamed is an ffmpeg's plan of a stream to a server that is never asked: a script decides.
func streamed(t *testing.T, reconnect int) recipe.Plan {
	t.Helper()
	p := endless(t, "rtmp://127.0.0.1:1/live")
	p.Reconnect = reconnect
	return p
}

const lostLine = `echo 'rtmp://127.0.0.1:1/live/x: Connection reset' >&2; exit 1`

// Lost connections in a row use up the budget; another failure, or a refused key, ends the stream at once.
func TestStream_Ends(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, script string
		starts       int
		reason       ffrtmp.FailureReason
		says         string
	}{
		{"used up", lostLine, 2, ffrtmp.NetworkError, "the connection broke"},
		{"another failure", `echo 'moov atom not found' >&2; exit 1`, 1, ffrtmp.UserError, "moov"},
		{
			"refused", `echo '[rtmp @ 0x55d0c0ffee00] Server error: authentication failed' >&2; exit 1`, 1,
			ffrtmp.UserError, "the server refused the stream; check rtmp_url and stream_key (Server error: auth",
		},
		{
			"the connection before", `echo '[rtmp @ 0x55d0c0ffee00] Server error: Already publishing' >&2; exit 1`, 2,
			ffrtmp.NetworkError, "Already publishing",
		},
	} {
		ffmpeg, starts := counting(t, c.script)
		e := wait(t, start(t, attempt(t, ffmpeg, streamed(t, 1))))
		if n := countStarts(t, starts); n != c.starts || e.End != Failed || e.Reason != c.reason ||
			!strings.Contains(e.Error, c.says) {
			t.Errorf("%s: got %+v after %d starts, want %s: %s after %d", c.name, e, n, c.reason, c.says, c.starts)
		}
	}
}

// While no connection stands, a stream can be paused and stopped.
func TestStream_StoppedBetween(t *testing.T) {
	t.Parallel()
	ffmpeg, starts := counting(t, lostLine)
	run := start(t, attempt(t, ffmpeg, streamed(t, ffrtmp.Forever)))
	eventually(t, "several connections are lost", func() bool {
		return strings.Contains(logText(t, run), "(attempt 3)")
	})
	must(t, run.Pause(ctx(t)))
	if s := state(t, run); !s.Paused || s.Progress.Phase != phasePaused {
		t.Errorf("got %+v, want it paused", s)
	}
	must(t, run.Resume(ctx(t)))
	must(t, run.Pause(ctx(t)))
	e, err := run.Stop(ctx(t))
	must(t, err)
	if n := countStarts(t, starts); e.End != Stopped || n < 3 {
		t.Errorf("got %+v after %d starts, want it stopped after 3", e, n)
	}
}

// A live input that ends is joined again if the job asks for that; the stream has ended when nothing comes any more.
func TestStream_Rejoins(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rejoin bool
		starts int
	}{{true, 2}, {false, 1}} {
		ffmpeg, starts := counting(t, `[ -e `+"$0.again"+` ] && { `+lostLine+`; }; touch $0.again
echo frame=50 >&3; echo out_time_us=5000000 >&3; exit 0`)
		p := streamed(t, 1)
		p.Rejoin = c.rejoin
		e := wait(t, start(t, attempt(t, ffmpeg, p)))
		if n := countStarts(t, starts); e.End != Succeeded || n != c.starts || e.Progress.OutTimeSeconds != 5 {
			t.Errorf("rejoin %t: got %+v after %d starts, want 5 s after %d", c.rejoin, e, n, c.starts)
		}
	}
}
