package failure

import (
	"regexp"

	"github.com/ffrtmp/ffrtmp"
)

// sign is a message of a failing ffmpeg or ffprobe, why it fails then, and a sentence
// that a user can act on, or "" where ffmpeg's line says enough.
type sign struct {
	form   *regexp.Regexp
	reason ffrtmp.FailureReason
	says   string
}

func newSign(reason ffrtmp.FailureReason, says, form string) sign {
	return sign{regexp.MustCompile(form), reason, says}
}

// unwritten matches messages about output that is not on disk. ffmpeg may still
// return success.
var unwritten = regexp.MustCompile(`No space left on device|Disk quota exceeded|Read-only file system|` +
	`File too large|Error writing trailer`)

// refused matches what RTMP servers say to a stream key or an application that they do not accept. That a stream has
// this key already is none of it: it may be the connection before.
var refused = newSign(ffrtmp.UserError, "the server refused the stream; check rtmp_url and stream_key",
	`(?i)\[rtmp.*Server error: .*(auth|denied|forbidden|not allowed|permi(t|ssion)|invalid|reject|unknown|no such|`+
		`not found)`)

// Refused returns the user error of a log in which an RTMP server refuses a stream for good, or nil.
func Refused(lines []string) *Error {
	for _, line := range lines {
		if refused.form.MatchString(line) && !described.MatchString(line) {
			return Errorf(refused.reason, "%s", explain(refused.says, line))
		}
	}
	return nil
}

// signs are ordered: the more telling first, general messages last.
var signs = []sign{
	refused,
	// An RTMP server's own message, then how a stream ends without one. No disk is involved.
	newSign(ffrtmp.NetworkError, "the server refused the stream", `\[rtmp.*Server error: `),
	newSign(ffrtmp.NetworkError, "the server ended the connection",
		`Error (writing trailer of|closing file) rtmps?://`),
	newSign(ffrtmp.OutputError, "the disk of the output is full", `No space left on device|Disk quota exceeded`),
	newSign(ffrtmp.OutputError, "the output could not be written", unwritten.String()),
	// ffmpeg's names of the input and of the server that it is read from tell a read from a write.
	newSign(ffrtmp.InputError, "the disk or share of the input does not answer",
		`/fd/[34]: (Input/output error|Stale file handle|Transport endpoint is not connected)|`+
			`[Ee]rror (while|during) demuxing: (Input/output error|Stale file handle)`),
	newSign(ffrtmp.PlatformError, "the node has too little memory", `Cannot allocate memory|malloc.*failed`),
	newSign(ffrtmp.PlatformError, "the node is out of threads, processes or open files",
		`(pthread_create|[Tt]hread creation).* failed|Resource temporarily unavailable|Too many open files`),
	newSign(ffrtmp.PlatformError, "ffmpeg is not installed completely", `error while loading shared libraries`),

	// The options are ours: this ffmpeg is too old, too new or lacks a feature.
	newSign(ffrtmp.PlatformError, "this node's ffmpeg does not know an option",
		`Unrecognized option|Option .* not found|Unable to parse option value`),
	newSign(ffrtmp.CapabilityMismatch, "this node's ffmpeg cannot read from such a server", `Protocol not found`),
	newSign(ffrtmp.CapabilityMismatch, "this node's ffmpeg lacks an encoder, a filter or a format",
		`Unknown encoder|Encoder not found|No such filter|not a suitable output format`),
	// The encoder worked at the start: the hardware is gone or has no free session.
	newSign(ffrtmp.PlatformError, "the hardware encoder of this node does not work",
		`Cannot load (libcuda|nvcuda|libnvidia)|OpenEncodeSessionEx failed|No NVENC capable devices|`+
			`No capable devices found|CUDA_ERROR|Cannot get the preset configuration|minimum required Nvidia driver|`+
			`No device available|Failed to initialise VAAPI|Error (initializing|creating) (an? |the )?(internal )?MFX|`+
			`No usable encoding entrypoint|libva.* init failed|A hardware (device|frames) reference is required|`+
			`No VA display|Device creation failed|Driver does not support the required nvenc API`),

	// Encoders and containers. Submission refuses what it knows of; this is the rest.
	newSign(ffrtmp.UserError, "the encoder cannot encode this picture size; set parameters.resolution",
		`(Source|Forced Max) (Width|Height) must be|Picture size .* is invalid|width not divisible|`+
			`dimensions too (large|small)|Invalid frame dimensions|invalid width x height`),
	newSign(ffrtmp.UserError, "the picture is smaller than what is cut from it; set crop_rect or resolution",
		`Invalid too big or non positive size`),
	newSign(ffrtmp.UserError, "the audio encoder cannot encode this channel layout",
		`Invalid channel layout|Unsupported channel layout|Rematrix is needed|`+
			`[Ss]pecified channel layout .* is not supported`),
	newSign(ffrtmp.UserError, "the audio encoder cannot encode this sample rate",
		`[Ss]pecified sample rate .* is not supported|Unsupported sample rate`),
	newSign(ffrtmp.UserError, "the audio encoder cannot encode at this bit rate",
		`bit ?rate .* is (unsupported|not supported)|[Ii]nvalid bit ?rate`),
	newSign(ffrtmp.UserError, "the output's container holds one audio track",
		`Exactly one \w+ audio stream|have exactly one stream`),
	newSign(ffrtmp.UserError, "the subtitles cannot be converted: they are pictures, or of an unknown format",
		`from text to text or bitmap to bitmap|Subtitle codec \S+ is not supported|Unable to locate subtitle stream`),
	newSign(ffrtmp.UserError, "the output's container cannot hold this codec; use another output name or codec",
		`(?i)only .* (are|is|only) supported|only supported in MP4|not compatible with|Could not find tag for codec|`+
			`codec not currently supported in container|not supported by the .* muxer|Unsupported codec`),
	newSign(ffrtmp.UserError, "the encoder refused its parameters", `Error setting (encoder parameters|profile)|`+
		`x26[45] \[error\]: |Additional information: |Failed to initialize encoder: |`+
		`Specified .* is not supported|not supported by the .* encoder|\[(lib\w+|\w+_(nvenc|qsv|vaapi)) .*[Ii]nvalid`),
	newSign(ffrtmp.PlatformError, "a filter failed",
		`no path between colorspaces|Impossible to convert between the formats`),
	newSign(ffrtmp.PlatformError, "a filter failed", `Error reinitializing`),

	// Servers of an input.
	newSign(ffrtmp.UserError, "the server of the input refused access", `HTTP error 40[137]|Server returned 40[13]`),
	newSign(ffrtmp.UserError, "the server has no such input", `HTTP error 4(04|10)|Server returned 404`),
	newSign(ffrtmp.NetworkError, "the server of the input is busy or failing; it will be tried again",
		`HTTP error (429|408|5\d\d)|Server returned 5XX`),
	newSign(ffrtmp.UserError, "the server of the input refused the request", `HTTP error 4\d\d|Server returned 4XX`),
	newSign(ffrtmp.NetworkError, "a name could not be resolved", `Failed to resolve|failure in name resolution`),
	newSign(ffrtmp.NetworkError, "the server could not be reached, or the connection broke",
		`Connection refused|Connection reset|Connection timed out|Network is unreachable|No route to host|`+
			`Stream ends prematurely|Broken pipe|`+
			`rtmp://\S*: (Input/output error|End of file|Operation timed out|Unknown error)|`+
			`Handshake failed|TLS.*(error|fail)|Operation timed out`),

	// Inputs that no attempt can read.
	newSign(ffrtmp.UserError,
		"the input is not a file of a kind that jobs may read: "+
			"video or sound in a common container",
		`[Nn]ot on whitelist|not in whitelist`),
	newSign(ffrtmp.UserError,
		"the input has no index (moov): "+
			"it is no MP4 file, or was not recorded or copied to its end",
		`moov atom not found`),
	newSign(ffrtmp.UserError, "the input has no video; a cover picture does not count. For sound alone use a "+
		"scenario such as audio-aac", `Stream map '0:V:0' matches no streams`),
	newSign(ffrtmp.UserError, "the input has no sound", `Stream map '0:a:0' matches no streams`),
	newSign(ffrtmp.UserError, "the input lacks a track that the job asks for",
		`Stream map '0:[as]:.*' matches no streams`),
	newSign(ffrtmp.UserError, "the input's video cannot be decoded: it is damaged, incomplete or encrypted",
		`Cannot determine format of input stream|[Cc]ould not find codec parameters for stream \d+ \(Video|`+
			`Decoder .* not found|Decoding requested, but no decoder found|Decode error rate .* exceeds`),
	newSign(ffrtmp.UserError, "the input's sound cannot be decoded: it is damaged, incomplete or encrypted",
		`[Cc]ould not find codec parameters for stream \d+ \(Audio`),
	newSign(ffrtmp.UserError, "one of the input's tracks begins long after the others; leave it out",
		`[Tt]oo many packets buffered for output stream`),
	newSign(ffrtmp.UserError, "the input's times are missing or not in order, so it cannot be copied; encode it",
		`Can't write packet with unknown timestamp|non monotonically increasing dts to muxer`),
	newSign(ffrtmp.InputError, "the input does not exist", `No such file or directory`),
	newSign(ffrtmp.InputError, "this node may not read the input, or not write the output", `Permission denied`),
	newSign(ffrtmp.UserError, "the input is not video or sound that ffmpeg can read, or it is damaged",
		`: Invalid data found when processing input|does not contain any stream|matches no streams|`+
			`/fd/[34]: Invalid argument|Error opening input: Invalid argument`),
	newSign(ffrtmp.UserError, "the input is damaged", `Error while decoding|partial file|Truncat`),
	newSign(ffrtmp.UserError, "the input ends before there is anything to decode",
		`/fd/[34]: End of file|Error opening input: End of file`),
	newSign(ffrtmp.InputError, "the input ends unexpectedly", `End of file`),
	newSign(ffrtmp.OutputError, "the output could not be written",
		`Error writing|av_interleaved_write_frame|[Cc]ould not write header|Error opening output|Input/output error`),
}
