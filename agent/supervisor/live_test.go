package supervisor

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
)

// record is an encode of half a second of a live input.
func record(input string) ffrtmp.Encoding {
	e := small(0.5, ffrtmp.ToFile)
	e.Input, e.FPS, e.ExactSize = input, 0, true
	return e
}

// checkHidden checks that no process and no log of the attempt shows a secret.
func checkHidden(t *testing.T, a Config, run *Process, secrets ...string) {
	t.Helper()
	shown := strings.Join(marked(t, a.Dir), "\n") + logText(t, run)
	for _, secret := range secrets {
		if strings.Contains(shown, secret) {
			t.Errorf("got %q in the log or a command line, want it hidden:\n%s", secret, shown)
		}
	}
}

// A camera's stream is recorded over TCP, with Digest and Basic passwords, which nobody sees.
func TestRun_RTSP(t *testing.T) {
	for _, digest := range []bool{true, false} {
		c := newCamera(t, digest)
		a := attempt(t, realFFmpeg(t), plan(t, record("rtsp://user:pa%40ss@"+c.listener.Addr().String()+
			"/secret/path?token=s3cr3t")))
		run := start(t, a)
		eventually(t, "the camera plays", func() bool { return strings.Contains(c.requests(), "PLAY ") })
		checkHidden(t, a, run, "pa@ss", "pa%40ss", "secret/path", "s3cr3t")
		e := wait(t, run)
		if e.End != Succeeded || e.Progress.Frame == 0 {
			t.Fatalf("got %+v, want a recording\n%s", e, logText(t, run))
		}
		checkHidden(t, a, run, "pa@ss", "pa%40ss", "s3cr3t")
		want := "DESCRIBE rtsp://" + c.listener.Addr().String() + "/secret/path?token=s3cr3t RTSP/1.0"
		if !strings.Contains(c.requests(), want) || strings.Contains(c.requests(), "user") {
			t.Errorf("got requests\n%s\nwant %q and no password", c.requests(), want)
		}
		r, err := ffprobe.Run(t.Context(), a.Plan.Work.Path())
		must(t, err)
		if v := r.First("video"); v.Codec != "h264" || v.Size() != "64x36" {
			t.Errorf("got %s %s, want h264 of 64x36", v.Codec, v.Size())
		}
	}
}

// A wrong password is the user's error, at once; that nothing listens is one of the network.
func TestRun_RTSPRefused(t *testing.T) {
	c := newCamera(t, true)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, closed.Close())
	for input, want := range map[string]struct {
		reason ffrtmp.FailureReason
		says   string
	}{
		"rtsp://user:wrong1@" + c.listener.Addr().String() + "/": {ffrtmp.UserError, "refused access"},
		"rtsp://" + c.listener.Addr().String() + "/":             {ffrtmp.UserError, "set user name and password"},
		"rtsp://user:wrong1@" + closed.Addr().String() + "/":     {ffrtmp.NetworkError, "connection refused"},
	} {
		e := wait(t, start(t, attempt(t, realFFmpeg(t), plan(t, record(input)))))
		if e.End != Failed || e.Reason != want.reason || !strings.Contains(e.Error, want.says) ||
			strings.Contains(e.Error, "wrong1") {
			t.Errorf("%s: got %+v, want %s: %s", input, e, want.reason, want.says)
		}
	}
}

// srtSender is an ffmpeg that waits for one SRT caller and sends it a test picture. It returns its port.
func srtSender(t *testing.T, options string) uint16 {
	t.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	port := portOf(socket)
	must(t, socket.Close())
	cmd := exec.Command("ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=64x36:rate=10", "-c:v",
		"libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "5", "-f", "mpegts",
		fmt.Sprintf("srt://127.0.0.1:%d?mode=listener%s", port, options))
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	bound := fmt.Sprintf("0100007F:%04X", port)
	eventually(t, "the sender listens", func() bool {
		sockets, err := os.ReadFile("/proc/net/udp")
		return err == nil && strings.Contains(string(sockets), bound)
	})
	return port
}

// An encrypted SRT stream is recorded; passphrase and stream id are in no command line and no log.
func TestRun_SRT(t *testing.T) {
	port := srtSender(t, "&passphrase=hunter2 'hunter2&pbkeylen=32")
	a := attempt(t, realFFmpeg(t), plan(t, record(fmt.Sprintf(
		"srt://127.0.0.1:%d?streamid=camera-one&passphrase=hunter2%%20%%27hunter2&pbkeylen=32&latency=2000", port))))
	run := start(t, a)
	eventually(t, "frames", func() bool { return state(t, run).Progress.Frame > 0 || state(t, run).Exit != nil })
	checkHidden(t, a, run, "hunter2", "camera-one")
	e := wait(t, run)
	if e.End != Succeeded || e.Progress.Frame == 0 {
		t.Fatalf("got %+v, want a recording\n%s", e, logText(t, run))
	}
	checkHidden(t, a, run, "hunter2", "camera-one")
}

// A port at which nothing listens is an error of the network that names it.
func TestRun_SRTRefused(t *testing.T) {
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	must(t, socket.Close())
	e := wait(t, start(t, attempt(t, realFFmpeg(t), plan(t, record("srt://"+socket.LocalAddr().String())))))
	if e.End != Failed || e.Reason != ffrtmp.NetworkError || !strings.Contains(e.Error, "nothing listens there") {
		t.Errorf("got %+v, want a network error", e)
	}
}
