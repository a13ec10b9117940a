package failure

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ffrtmp/ffrtmp"
)

// internal matches what must not be shown to users.
var internal = regexp.MustCompile(`127\.0\.0\.1|/proc/self/fd/\d|/dev/fd/\d|pipe:\d|0x[0-9a-f]{6}`)

const corpus = "testdata/logs"

// Logs of ffmpeg 5.1 that failed, and what users read. Every log is listed.
func TestFromLog_Corpus(t *testing.T) {
	want := map[string]struct {
		reason ffrtmp.FailureReason
		says   string
	}{
		"in_nomoov_mp4":  {ffrtmp.UserError, "has no index (moov)"},
		"in_empty_mp4":   {ffrtmp.UserError, "has no index (moov)"},
		"in_text_txt":    {ffrtmp.UserError, "not video or sound that ffmpeg can read"},
		"in_badavcc_mp4": {ffrtmp.UserError, "video cannot be decoded"},
		"in_cut_mkv":     {ffrtmp.UserError, "video cannot be decoded"},
		"in_damaged_mp4": {ffrtmp.UserError, "video cannot be decoded"},
		"in_audio_m4a":   {ffrtmp.UserError, "has no video"},
		"in_song_mp3":    {ffrtmp.UserError, "has no video"},
		"in_pic_png":     {ffrtmp.UserError, "kind that jobs may read"},
		"small_svt": {
			ffrtmp.UserError,
			"set parameters.resolution (Svt[error]: Instance 1: Forced Max Height must be",
		},
		"opus_side": {ffrtmp.UserError, "channel layout (Invalid channel layout 5.1(side)"},
		"opus_fl":   {ffrtmp.UserError, "channel layout (Invalid channel layout 1 channels (FL)"},
		"aac_fl":    {ffrtmp.UserError, `(Unsupported channel layout "1 channels (FL)")`},
		"h264webm":  {ffrtmp.UserError, "container cannot hold this codec"},
		"hevcflv":   {ffrtmp.UserError, "container cannot hold this codec"},
		"vp9mov":    {ffrtmp.UserError, "container cannot hold this codec"},
		"opusmov":   {ffrtmp.UserError, "container cannot hold this codec"},
		"ac3flv":    {ffrtmp.UserError, "container cannot hold this codec"},
		"full":      {ffrtmp.OutputError, "disk of the output is full"},
		"filter":    {ffrtmp.CapabilityMismatch, "No such filter: 'nosuch'"},
		"zs":        {ffrtmp.PlatformError, "no path between colorspaces"},
		"rtmp":      {ffrtmp.NetworkError, "could not be reached, or the connection broke (the server: Conn"},
		"http_401":  {ffrtmp.UserError, "refused access (the server: Server returned 401"},
		"http_403":  {ffrtmp.UserError, "refused access (the server: Server returned 403"},
		"http_404":  {ffrtmp.UserError, "has no such input"},
		"http_410":  {ffrtmp.UserError, "has no such input (HTTP error 410 Gone)"},
		"http_429":  {ffrtmp.NetworkError, "busy or failing"},
		"http_503":  {ffrtmp.NetworkError, "busy or failing"},
		"missing":   {ffrtmp.InputError, "does not exist"},
	}
	logs, err := filepath.Glob(filepath.Join(corpus, "*.log"))
	if err != nil || len(logs) != len(want) {
		t.Fatalf("got %d logs, %v; want %d", len(logs), err, len(want))
	}
	for _, path := range logs {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".log")
		reason, says := FromLog(strings.Split(strings.TrimSpace(string(data)), "\n"))
		if reason != want[name].reason || !strings.Contains(says, want[name].says) {
			t.Errorf("%s: got %s: %s; want %s with %q", name, reason, says, want[name].reason, want[name].says)
		}
		if internal.MatchString(says) {
			t.Errorf("%s: got internals in %q", name, says)
		}
	}
}

// The installed ffmpeg says what the table expects where the machine matters.
func TestFromLog_Installed(t *testing.T) {
	pattern := []string{"-f", "lavfi", "-i", "testsrc2=size=64x64:rate=10", "-t", "0.2"}
	for name, c := range map[string]struct {
		args   []string
		reason ffrtmp.FailureReason
		says   string
	}{
		"demuxer not allowed": {
			[]string{"-format_whitelist", "mov", "-f", "lavfi", "-i", "testsrc2", "-f", "null", "-"},
			ffrtmp.UserError, "kind that jobs may read",
		},
		"unknown encoder": {
			append(pattern, "-c:v", "libnone", "-f", "null", "-"), ffrtmp.CapabilityMismatch,
			"Unknown encoder",
		},
		"no GPU": {append(pattern, "-c:v", "h264_nvenc", "-f", "null", "-"), ffrtmp.PlatformError, ""},
		"no VAAPI": {append([]string{"-vaapi_device", "/dev/dri/none"},
			append(pattern, "-c:v", "h264_vaapi", "-f", "null", "-")...), ffrtmp.PlatformError, ""},
		"another ffmpeg": {
			append(pattern, "-of-a-later-version", "1", "-f", "null", "-"), ffrtmp.PlatformError,
			"does not know an option",
		},
	} {
		out, err := exec.Command("ffmpeg",
			append([]string{"-hide_banner", "-nostats", "-nostdin", "-y"}, c.args...)...).CombinedOutput()
		if err == nil {
			t.Fatalf("%s: got success, want a failure", name)
		}
		reason, says := FromLog(strings.Split(strings.TrimSpace(string(out)), "\n"))
		if reason != c.reason || !strings.Contains(says, c.says) || says == "" {
			t.Errorf("%s: got %s: %q\n%s", name, reason, says, out)
		}
	}
}

// The user's own words in metadata are no message.
func TestFromLog_Metadata(t *testing.T) {
	reason, says := FromLog([]string{
		"Input #0, mov, from 'moov atom not found':", "    title           : No space left on device", "Odd",
	})
	if reason != ffrtmp.RuntimeError || says != "ffmpeg failed (Odd)" {
		t.Errorf("got %s: %s, want a runtime error", reason, says)
	}
}

// Whatever a log holds, the error is one short valid line without internals.
func FuzzFromLog(f *testing.F) {
	logs, _ := filepath.Glob(filepath.Join(corpus, "*.log"))
	for _, path := range logs {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Add("http://127.0.0.1:42631/x: file:/proc/self/fd/3: pipe:3 0xdeadbeef99")
	f.Fuzz(func(t *testing.T, log string) {
		reason, says := FromLog(strings.Split(strings.ToValidUTF8(log, "?"), "\n"))
		if reason == "" || len(says) > 1000 || !utf8.ValidString(says) || strings.Contains(says, "\n") {
			t.Errorf("got %q: %q", reason, says)
		}
		if internal.MatchString(says) {
			t.Errorf("got internals in %q", says)
		}
	})
}
