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

// Messages of the installed ffmpeg.
func TestFromLog_RealFailures(t *testing.T) {
	pattern := []string{"-f", "lavfi", "-i", "testsrc2=size=64x64:rate=10", "-t", "0.2"}
	for name, c := range map[string]struct {
		args   []string
		reason ffrtmp.FailureReason
		says   string
	}{
		"missing input": {
			[]string{"-i", "file:/nowhere.mp4", "-f", "null", "-"},
			ffrtmp.InputError,
			"No such file",
		},
		"not a media file": {[]string{"-i", "/etc/passwd", "-f", "null", "-"}, ffrtmp.InputError, "Invalid data"},
		"demuxer not allowed": {[]string{
			"-format_whitelist", "mov", "-f", "lavfi", "-i", "testsrc2", "-f", "null",
			"-",
		}, ffrtmp.InputError, "whitelist"},
		"nobody listens": {
			[]string{"-i", "http://127.0.0.1:1/a.mp4", "-f", "null", "-"},
			ffrtmp.NetworkError,
			"Connection refused",
		},
		"stream to nobody": {
			append(pattern, "-c:v", "libx264", "-f", "flv", "rtmp://127.0.0.1:1/live/x"),
			ffrtmp.NetworkError, "Connection refused",
		},
		"unknown encoder": {
			append(pattern, "-c:v", "libnone", "-f", "null", "-"), ffrtmp.CapabilityMismatch,
			"Unknown encoder",
		},
		"no GPU": {append(pattern, "-c:v", "h264_nvenc", "-f", "null", "-"), ffrtmp.PlatformError, ""},
		"no VAAPI": {append([]string{"-vaapi_device", "/dev/dri/none"},
			append(pattern, "-c:v", "h264_vaapi", "-f", "null", "-")...), ffrtmp.PlatformError, ""},
		"container": {
			append(pattern, "-c:v", "libx264", "-f", "webm", "/dev/null"), ffrtmp.UserError,
			"Only VP8",
		},
		"codec in container": {
			append(pattern, "-c:v", "libvpx-vp9", "-f", "flv", "/dev/null"), ffrtmp.UserError,
			"not compatible",
		},
		"disk is full": {
			append(pattern[:4:4], "-t", "20", "-c:v", "rawvideo", "-f", "nut", "/dev/full"),
			ffrtmp.OutputError, "No space left",
		},
		"another ffmpeg": {
			append(pattern, "-of-a-later-version", "1", "-f", "null", "-"), ffrtmp.PlatformError,
			"Unrecognized option",
		},
		"no video": {[]string{
			"-f", "lavfi", "-i", "sine", "-map", "0:V:0", "-t", "0.1", "-f", "null",
			"-",
		}, ffrtmp.UserError, "the input has no video"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := exec.Command("ffmpeg",
				append([]string{"-hide_banner", "-nostats", "-nostdin", "-y"}, c.args...)...).CombinedOutput()
			if err == nil {
				t.Fatal("it did not fail")
			}
			reason, line := FromLog(strings.Split(strings.TrimSpace(string(out)), "\n"))
			if reason != c.reason || !strings.Contains(line, c.says) || line == "" {
				t.Errorf("got %s: %q\n%s", reason, line, out)
			}
		})
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
	if reason != ffrtmp.RuntimeError || line != "Something odd happened" {
		t.Errorf("got %s: %q", reason, line)
	}
	if reason, line = FromLog(nil); reason != ffrtmp.RuntimeError || line != "" {
		t.Errorf("got %s: %q", reason, line)
	}
}
