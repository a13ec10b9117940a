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
var internal = regexp.MustCompile(`127\.0\.0\.1|\[::1\]|localhost:\d|/proc/self/fd|/dev/fd|pipe:\d|0x[0-9a-fA-F]{6}`)

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

		"in_encrypted_mp4": {ffrtmp.UserError, "damaged"},
		"probe_hdr_mkv":    {ffrtmp.UserError, "ends before there is anything to decode"},
		"probe_bad_mkv":    {ffrtmp.UserError, "ends before there is anything to decode"},
		"probe_cut_ogg":    {ffrtmp.UserError, "ends before there is anything to decode"},
		"probe_cut_flac":   {ffrtmp.UserError, "not video or sound that ffmpeg can read"},
		"probe_cut_wav":    {ffrtmp.UserError, "not video or sound that ffmpeg can read"},
		"probe_rnd_ts":     {ffrtmp.UserError, "not video or sound that ffmpeg can read"},
		"probe_a_pdf":      {ffrtmp.UserError, "not video or sound that ffmpeg can read"},
		"probe_a_srt":      {ffrtmp.UserError, "kind that jobs may read"},
		"opus_rate":        {ffrtmp.UserError, "at this bit rate (The bit rate 6000000 bps is unsupported"},
		"two_mp3":          {ffrtmp.UserError, "holds one audio track"},
		"two_flac":         {ffrtmp.UserError, "holds one audio track"},
		"two_wav":          {ffrtmp.UserError, "holds one audio track"},
		"no_track":         {ffrtmp.UserError, "lacks a track that the job asks for (Stream map '0:a:3'"},
		"subs_pgs":         {ffrtmp.UserError, "lacks a track that the job asks for (Stream map '0:s:0'"},
		"crop":             {ffrtmp.UserError, "smaller than what is cut from it"},
		"scale0":           {ffrtmp.UserError, "cannot encode this picture size"},
		"x264_huge":        {ffrtmp.UserError, "set parameters.resolution (invalid width x height (20000x64)"},
		"x264_profile":     {ffrtmp.UserError, "encoder refused its parameters"},
		"x265_bad":         {ffrtmp.UserError, "encoder refused its parameters (x265 [error]: Invalid max IDR period"},
		"vp9_bits": {
			ffrtmp.UserError, "refused its parameters (Additional information: Codec high bit-depth not supported",
		},
		"burn_nosub": {ffrtmp.UserError, "subtitles cannot be converted"},
		"nvenc":      {ffrtmp.PlatformError, "hardware encoder of this node does not work (Cannot load libcuda"},
		"qsv":        {ffrtmp.PlatformError, "hardware encoder of this node does not work (Error initializing an"},
		"vaapi":      {ffrtmp.PlatformError, "a filter failed (Impossible to convert between the formats"},
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

// Messages that public bug reports quote, also of other versions of ffmpeg, on lines as a job's log has them.
func TestFromLog_Reported(t *testing.T) {
	for line, want := range map[string]struct {
		reason ffrtmp.FailureReason
		says   string
	}{
		"file:/proc/self/fd/4: Input/output error": {ffrtmp.InputError, "disk or share of the input does not answer"},
		"file:/proc/self/fd/4: Stale file handle":  {ffrtmp.InputError, "disk or share of the input does not answer"},
		"[in#0/mov,mp4,m4a,3gp,3g2,mj2 @ 0x55d1b4477f00] Error during demuxing: Input/output error": {
			ffrtmp.InputError, "disk or share of the input does not answer",
		},
		"[in#0 @ 0x5d1b4477f00] Error opening input: Invalid data found when processing input": {
			ffrtmp.UserError, "not video or sound that ffmpeg can read",
		},
		"[in#0 @ 0x5d1b4477f00] Error opening input: End of file": {ffrtmp.UserError, "ends before there is anything"},
		"[vist#0:0/h264 @ 0x55d1b447] [dec:h264 @ 0x55d1b4] Decode error rate 1 exceeds maximum 0.666667": {
			ffrtmp.UserError, "video cannot be decoded",
		},
		"Subtitle encoding currently only possible from text to text or bitmap to bitmap": {
			ffrtmp.UserError, "subtitles cannot be converted",
		},
		"[matroska @ 0x55f747a22540] Subtitle codec 0 is not supported.": {ffrtmp.UserError, "subtitles cannot be"},
		"[matroska @ 040546a0] Can't write packet with unknown timestamp": {
			ffrtmp.UserError, "cannot be copied; encode it",
		},
		"[mp4 @ 0x5d1b44] Application provided invalid, non monotonically increasing dts to muxer in stream 0": {
			ffrtmp.UserError, "not in order, so it cannot be copied",
		},
		"Too many packets buffered for output stream 0:1.": {ffrtmp.UserError, "begins long after the others"},
		"[http @ 0x55d1b44] Stream ends prematurely at 5242880, should be 91526144": {
			ffrtmp.NetworkError, "the connection broke",
		},
		"[h264_nvenc @ 0x55d1b44] OpenEncodeSessionEx failed: out of memory (10): (no details)": {
			ffrtmp.PlatformError, "hardware encoder of this node does not work",
		},
		"[h264_nvenc @ 0x55d1b44] No capable devices found": {ffrtmp.PlatformError, "hardware encoder of this node"},
		"[h264_nvenc @ 0x55d1b44] The minimum required Nvidia driver for nvenc is 520.56.06 or newer": {
			ffrtmp.PlatformError, "hardware encoder of this node",
		},
		"[AVHWDeviceContext @ 0x55d1b44] Error creating a MFX session: -9.": {
			ffrtmp.PlatformError, "hardware encoder of this node",
		},
		"[hevc_vaapi @ 0x55d1b44] No usable encoding entrypoint found for profile VAProfileHEVCMain (17).": {
			ffrtmp.PlatformError, "hardware encoder of this node",
		},
		"[AVHWDeviceContext @ 0x55d1b44] libva: /usr/lib/dri/iHD_drv_video.so init failed": {
			ffrtmp.PlatformError, "hardware encoder of this node",
		},
		"[libx265 @ 0x55d1b44] pthread_create() failed: Resource temporarily unavailable": {
			ffrtmp.PlatformError, "out of threads, processes or open files",
		},
		"[NULL @ 0x55d1b44] Requested output format 'ipod' is not a suitable output format": {
			ffrtmp.CapabilityMismatch, "lacks an encoder, a filter or a format",
		},
		"http://127.0.0.1:42631/film.mp4: Server returned 403 Forbidden (access denied)": {
			ffrtmp.UserError, "refused access (the server: Server returned 403",
		},
	} {
		reason, says := FromLog([]string{"Press [q] to stop, [?] for help", line, "Conversion failed!"})
		if reason != want.reason || !strings.Contains(says, want.says) || internal.MatchString(says) {
			t.Errorf("%s: got %s: %s; want %s with %q", line, reason, says, want.reason, want.says)
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
	f.Add("[a @ 0x55d1b4477f00] [IMGUTILS @ 0x7ffe47522b60] [::1]:80 localhost:1 /proc/self/fd/7/pass-0.log 0xDEADBEEF")
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
