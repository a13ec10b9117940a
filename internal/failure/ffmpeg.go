package failure

import (
	"cmp"
	"regexp"

	"github.com/ffrtmp/ffrtmp"
)

// unwritten matches messages about output that is not on disk. ffmpeg may still
// return success.
var unwritten = regexp.MustCompile(`No space left on device|Disk quota exceeded|Read-only file system|` +
	`File too large|Error writing trailer`)

// Unwritten returns the first line of a log that says that output was lost, or "".
func Unwritten(lines []string) string {
	for _, line := range lines {
		if unwritten.MatchString(line) {
			return line
		}
	}
	return ""
}

// signs are messages of a failing ffmpeg, the more telling first. FromLog searches the
// last lines of a log for them.
var signs = []struct {
	form   *regexp.Regexp
	reason ffrtmp.FailureReason
	says   string // instead of ffmpeg's line; "" for that
}{
	// An RTMP server's own message, then how a stream ends without one. No disk is involved.
	{regexp.MustCompile(`\[rtmp.*Server error: `), ffrtmp.NetworkError, ""},
	{regexp.MustCompile(`Error (writing trailer of|closing file) rtmps?://`), ffrtmp.NetworkError, ""},
	{unwritten, ffrtmp.OutputError, ""},
	{regexp.MustCompile(`Cannot allocate memory|Error reinitializing|error while loading shared libraries|` +
		`malloc.*failed`), ffrtmp.PlatformError, ""},
	// The options are ours: this ffmpeg is too old, too new or lacks a feature.
	{
		regexp.MustCompile(`Unrecognized option|Option .* not found|Unable to parse option value`),
		ffrtmp.PlatformError, "",
	},
	{regexp.MustCompile(`Unknown encoder|Encoder not found|No such filter`), ffrtmp.CapabilityMismatch, ""},
	// The encoder worked at the start: the hardware is gone or has no free session.
	{regexp.MustCompile(`Cannot load (libcuda|nvcuda|libnvidia)|OpenEncodeSessionEx failed|` +
		`No NVENC capable devices|No device available|Failed to initialise VAAPI|` +
		`Error initializing an? (internal )?MFX session|No VA display|Device creation failed|` +
		`Driver does not support the required nvenc API`), ffrtmp.PlatformError, ""},
	{regexp.MustCompile(`Connection refused|Connection reset|Connection timed out|Network is unreachable|` +
		`No route to host|Failed to resolve|Temporary failure in name resolution|Broken pipe|HTTP error 5\d\d|` +
		`Server returned 5XX|HTTP error 429|` +
		`rtmp://\S*: (Input/output error|End of file|Operation timed out|Unknown error)|Handshake failed|` +
		`TLS.*(error|fail)|Operation timed out`), ffrtmp.NetworkError, ""},
	{regexp.MustCompile(`(?i)only .* (are|is) supported for|not compatible with|Could not find tag for codec|` +
		`codec not currently supported in container`), ffrtmp.UserError, ""},
	{regexp.MustCompile(`incorrect codec parameters|width not divisible|Specified .* is not supported|` +
		`not supported by the .* (muxer|encoder)`), ffrtmp.UserError, ""},
	{
		regexp.MustCompile(`Stream map '0:V:0' matches no streams`), ffrtmp.UserError,
		"the input has no video; a cover picture does not count",
	},
	{regexp.MustCompile(`Invalid data found when processing input|moov atom not found|No such file or directory|` +
		`does not contain any stream|matches no streams|could not find codec parameters|` +
		`Could not find codec parameters|HTTP error 4\d\d|Server returned 4\d\d|Not on whitelist|` +
		`Format not on whitelist|not in whitelist|End of file|Error while decoding|partial file|Truncat|` +
		`Conversion failed!.*input`), ffrtmp.InputError, ""},
	{regexp.MustCompile(`Error writing|av_interleaved_write_frame|Could not write header|Error opening output|` +
		`Permission denied|Input/output error`), ffrtmp.OutputError, ""},
}

// ffmpegNoise matches what ffmpeg prints last after any failure.
var ffmpegNoise = regexp.MustCompile(`^(Conversion failed!|Exiting normally.*|` +
	`\[?(libx26[45]|aac|libvpx|Svt|SVT).*|video:.* audio:.*|frame=.*|\s.*|x265 \[info\].*|encoded \d+ frames.*|` +
	`Qavg.*|)$`)

// FromLog returns why ffmpeg failed, from the last lines of its log, oldest first: the
// reason, and the most telling line or a sentence that explains it. Without a known
// message it is a runtime error.
func FromLog(lines []string) (ffrtmp.FailureReason, string) {
	for _, sign := range signs {
		for i := len(lines) - 1; i >= 0; i-- {
			if sign.form.MatchString(lines[i]) {
				return sign.reason, cmp.Or(sign.says, lines[i])
			}
		}
	}
	for i := len(lines) - 1; i >= 0; i-- {
		if !ffmpegNoise.MatchString(lines[i]) {
			return ffrtmp.RuntimeError, lines[i]
		}
	}
	return ffrtmp.RuntimeError, ""
}
