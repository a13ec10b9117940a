package failure

import (
	"regexp"
	"strings"

	"github.com/ffrtmp/ffrtmp"
)

// Unwritten returns the first line of a log that says that output was lost, or "".
func Unwritten(lines []string) string {
	for _, line := range lines {
		if unwritten.MatchString(line) {
			return line
		}
	}
	return ""
}

// ffmpegNoise matches what ffmpeg prints last after any failure.
var ffmpegNoise = regexp.MustCompile(`^(Conversion failed!|Exiting normally.*|` +
	`\[?(libx26[45]|aac|libvpx|Svt|SVT).*|video:.* audio:.*|frame=.*|\s.*|x265 \[info\].*|encoded \d+ frames.*|` +
	`Qavg.*|)$`)

// described matches lines that describe inputs and outputs: their metadata is the user's, and may hold any words.
var described = regexp.MustCompile(`^(\s|Input #|Output #|Metadata:)`)

// FromLog returns why ffmpeg or ffprobe failed, from the last lines of its log, oldest
// first: the reason, and a sentence with the most telling line. Without a known
// message it is a runtime error.
func FromLog(lines []string) (ffrtmp.FailureReason, string) {
	for _, sign := range signs {
		for i := len(lines) - 1; i >= 0; i-- {
			if sign.form.MatchString(lines[i]) && !described.MatchString(lines[i]) {
				return sign.reason, explain(sign.says, lines[i])
			}
		}
	}
	for i := len(lines) - 1; i >= 0; i-- {
		if !ffmpegNoise.MatchString(lines[i]) {
			return ffrtmp.RuntimeError, explain("ffmpeg failed", lines[i])
		}
	}
	return ffrtmp.RuntimeError, ""
}

func explain(says, line string) string {
	if line = Clean(line); line == "" {
		return says
	}
	return says + " (" + line + ")"
}

// cleanings remove what means nothing outside of one ffmpeg process: addresses in its
// memory, inherited descriptors and endpoints on the loopback interface.
var cleanings = []struct {
	form *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`^(\[[^\]]* @ 0x[0-9a-fA-F]+\]\s*)+`), ""},
	{regexp.MustCompile(`0x[0-9a-fA-F]{6,}`), "…"},
	{regexp.MustCompile(`(file:)?/(proc/self|dev)/fd/3\b`), "the input"}, // what ffprobe reads
	{regexp.MustCompile(`(file:)?/(proc/self|dev)/fd/4\b`), "the input"},
	{regexp.MustCompile(`(file:)?/(proc/self|dev)/fd/5\b`), "the output"},
	{regexp.MustCompile(`(file:)?/(proc/self|dev)/fd(/\d+(/\S*)?)?|pipe:\d+`), "a file"},
	{regexp.MustCompile(`[a-z]+://(127\.0\.0\.1|\[::1\]|localhost):\d+(/[^\s'",):]*)?`), "the server"},
	{regexp.MustCompile(`(127\.0\.0\.1|\[::1\])(:\d+)?|\blocalhost:\d+`), "the server"},
}

// maxLine bounds a line of ffmpeg's in an error.
const maxLine = 400

// Clean returns a line of ffmpeg's without internal addresses and descriptors.
func Clean(line string) string {
	for _, c := range cleanings {
		line = c.form.ReplaceAllString(line, c.with)
	}
	line = strings.TrimSpace(line)
	if len(line) > maxLine {
		line = strings.ToValidUTF8(line[:maxLine], "") + "…"
	}
	return line
}
