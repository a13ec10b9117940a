package failure

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

func TestReason_Wrapped(t *testing.T) {
	coded := Errorf(ffrtmp.InputError, "input: %w", fs.ErrNotExist)
	if got := Reason(fmt.Errorf("start: %w", coded)); got != ffrtmp.InputError {
		t.Errorf("wrapped: %s", got)
	}
	if !errors.Is(coded, fs.ErrNotExist) {
		t.Error("the cause is lost")
	}
	if got := Reason(errors.New("pipe: too many open files")); got != ffrtmp.PlatformError {
		t.Errorf("without a reason: %s", got)
	}
}

// What ffmpeg said of nginx with its RTMP module.
func TestFromLog_Stream(t *testing.T) {
	for says, log := range map[string][]string{
		"Already publishing": {
			"[rtmp @ 0x5572548efd00] Server error: Already publishing",
			"rtmp://127.0.0.1:21935/live/A: Operation not permitted",
		},
		"Error closing file": { // nginx was killed
			"av_interleaved_write_frame(): Broken pipe",
			"Error writing trailer of rtmp://127.0.0.1:21935/live/A: Broken pipe",
			"Error closing file rtmp://127.0.0.1:21935/live/A: Broken pipe",
			"Conversion failed!",
		},
		"Input/output error": { // no such application
			"rtmp://127.0.0.1:21935/nope/A: Input/output error",
		},
	} {
		if reason, line := FromLog(log); reason != ffrtmp.NetworkError || !strings.Contains(line, says) {
			t.Errorf("got %s: %q, want a network error that says %q", reason, line, says)
		}
	}
}

// ffmpeg returns 0 when the disk fills up at the very end.
func TestUnwritten_DiskFull(t *testing.T) {
	out, _ := exec.Command("ffmpeg", "-hide_banner", "-nostats", "-nostdin", "-y", "-f", "lavfi", "-i",
		"testsrc2=size=64x64:rate=10", "-t", "0.2", "-f", "mpegts", "/dev/full").CombinedOutput()
	if line := Unwritten(strings.Split(string(out), "\n")); line == "" {
		t.Errorf("not seen in %s", out)
	}
	if line := Unwritten([]string{"video:1kB audio:0kB", "Conversion failed!"}); line != "" {
		t.Errorf("saw %q", line)
	}
}

// Without a known message the last telling line counts.
func TestFromLog_Unknown(t *testing.T) {
	reason, line := FromLog([]string{"Something odd happened", "frame=  1 fps=0.0", "Conversion failed!"})
	if reason != ffrtmp.RuntimeError || line != "ffmpeg failed (Something odd happened)" {
		t.Errorf("got %s: %q", reason, line)
	}
	if reason, line = FromLog(nil); reason != ffrtmp.RuntimeError || line != "" {
		t.Errorf("got %s: %q", reason, line)
	}
}

// A server that says it refuses a stream is final; any other message of it may be gone the next time.
func TestRefused(t *testing.T) {
	const rtmp = "[rtmp @ 0x55d0c0ffee00] Server error: "
	for line, final := range map[string]bool{
		rtmp + "authentication failed":                                       true,
		rtmp + "[ AccessManager.Reject ] : [ code=403 need auth; authmod=x]": true,
		rtmp + "Publish denied":                                              true,
		rtmp + "Application not found":                                       true,
		rtmp + "Invalid stream key":                                          true,
		rtmp + "Not permitted to publish":                                    true,
		rtmp + "Already publishing":                                          false,
		rtmp + "Stream key already in use":                                   false,
		rtmp + "internal error":                                              false,
		"    title           : [rtmp] Server error: denied":                  false,
		"rtmp://127.0.0.1:1/live/x: Connection reset by peer":                false,
	} {
		err := Refused([]string{"before", line, "after"})
		if (err != nil) != final || final && err.Reason != ffrtmp.UserError {
			t.Errorf("%s: got %v, want final: %t", line, err, final)
		}
		if reason, _ := FromLog([]string{line}); final != (reason == ffrtmp.UserError) {
			t.Errorf("%s: got %s, want a user error: %t", line, reason, final)
		}
	}
}
