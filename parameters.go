package ffrtmp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ffrtmp/ffrtmp/internal/strictjson"
)

// Parameters are the encoding options of a job. They override its scenario. A nil pointer means
// that the option was not given.
type Parameters struct {
	Input          string          `json:"input"`
	Output         string          `json:"output"`
	Overwrite      bool            `json:"overwrite"` // replace an existing output
	Strict         bool            `json:"strict"`    // errors while decoding fail the job
	OutputMode     string          `json:"output_mode"`
	RTMPURL        string          `json:"rtmp_url"`
	StreamKey      string          `json:"stream_key"`
	Duration       *float64        `json:"duration"` // seconds
	Start          Scalar          `json:"start"`    // of the input: seconds, or HH:MM:SS.mmm
	End            Scalar          `json:"end"`
	Bitrate        string          `json:"bitrate"` // bits per second as in ffmpeg's -b:v: 10M, 2500k
	Codec          string          `json:"codec"`
	Preset         string          `json:"preset"`
	Resolution     string          `json:"resolution"` // WIDTHxHEIGHT or a scenario's size
	FPS            *float64        `json:"fps"`
	Threads        *int            `json:"threads"`
	HWAccel        string          `json:"hwaccel"`
	AudioCodec     string          `json:"audio_codec"`
	AudioBitrate   string          `json:"audio_bitrate"`
	Loudness       *float64        `json:"loudness"` // LUFS; this and the following: see Loudness
	TruePeak       *float64        `json:"true_peak"`
	LoudnessRange  *float64        `json:"loudness_range"`
	Audio          []AudioTrack    `json:"audio"`       // tracks of the output; excludes AudioCodec and AudioBitrate
	Subtitles      []SubtitleTrack `json:"subtitles"`   // of the output
	Fit            string          `json:"fit"`         // inside, pad, crop or stretch
	CropRect       string          `json:"crop_rect"`   // WIDTH:HEIGHT:X:Y of the source's picture
	PadColor       string          `json:"pad_color"`   // a name or #RRGGBB
	HDR            string          `json:"hdr"`         // tonemap or keep
	Deinterlace    string          `json:"deinterlace"` // auto, on or off
	Denoise        string          `json:"denoise"`     // off, light, medium or strong
	Watermark      *Watermark      `json:"watermark"`
	Picture        string          `json:"picture"` // shown with an input that is sound only
	CRF            *int            `json:"crf"`     // this and the following: see Quality
	TwoPass        bool            `json:"two_pass"`
	MaxRate        string          `json:"maxrate"`
	BufSize        string          `json:"bufsize"`
	GOPSeconds     *float64        `json:"gop_seconds"`
	Profile        string          `json:"profile"`
	Level          string          `json:"level"`
	PixFmt         string          `json:"pix_fmt"`
	Tune           string          `json:"tune"`
	FilmGrain      *int            `json:"film_grain"`
	ResourceLimits *ResourceLimits `json:"resource_limits"`
	Reconnect      Scalar          `json:"reconnect"` // of a stream: 0 to 1000, or "forever"
	HangTimeoutSec *int            `json:"hang_timeout_sec"`

	// v2.2's names, used if the new one is not given.
	DurationSeconds  *float64 `json:"duration_seconds"`
	ResolutionWidth  *int     `json:"resolution_width"`
	ResolutionHeight *int     `json:"resolution_height"`
	FrameRate        *float64 `json:"frame_rate"`
	Engine           string   `json:"engine"`
}

// ResourceLimits limits the resources of one attempt. Zero means no limit.
type ResourceLimits struct {
	TimeoutSec    int `json:"timeout_sec"`     // run time in seconds
	MaxCPUPercent int `json:"max_cpu_percent"` // 100 is one CPU thread
	MaxMemoryMB   int `json:"max_memory_mb"`
	MaxDiskMB     int `json:"max_disk_mb"`
}

// OutputMode is the kind of destination of an encode.
type OutputMode string

// Output modes. The API accepts "stream" for ToRTMP.
const (
	ToFile OutputMode = "file"
	ToRTMP OutputMode = "rtmp"
	ToNull OutputMode = "null"
)

// patternSeconds is the default duration of a test pattern.
const patternSeconds = 10

const (
	maxDurationSeconds = 30 * 24 * 3600
	maxPath            = 4096 // bytes
	maxThreads         = 1024
	minHangSeconds     = 5
	maxHangSeconds     = 24 * 3600
)

var (
	bitrateForm    = regexp.MustCompile(`^[1-9]\d{0,8}(\.\d{1,3})?[kKmM]?$`)
	resolutionForm = regexp.MustCompile(`^([1-9]\d{1,4})x([1-9]\d{1,4})$`)
	schemeForm     = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*$`)
)

var (
	parameterNames = strictjson.Fields[Parameters]()
	limitNames     = strictjson.Fields[ResourceLimits]()
)

var inputSchemes = []string{"http", "https", "rtmp", "rtmps", "srt", "rtsp", "rtsps"}

// ParseParameters decodes a parameters object; nil and null are an empty one. An unknown
// parameter is an Invalid error that names it.
func ParseParameters(raw json.RawMessage) (Parameters, error) {
	var p Parameters
	if len(raw) == 0 || string(raw) == "null" {
		return p, nil
	}
	given, err := decodeStrict(raw, "parameters", parameterNames, &p)
	if err == nil {
		err = cmp.Or(parseTracks(given["audio"], "parameters.audio", audioTrackNames),
			parseTracks(given["subtitles"], "parameters.subtitles", subtitleTrackNames))
	}
	if err == nil && p.Watermark != nil {
		_, err = decodeStrict(given["watermark"], "parameters.watermark", watermarkNames, p.Watermark)
	}
	if err != nil || p.ResourceLimits == nil {
		return p, err
	}
	_, err = decodeStrict(given["resource_limits"], "parameters.resource_limits", limitNames, p.ResourceLimits)
	return p, err
}

// checkPath returns an error that names the field unless s can be a path. JSON cannot carry bytes that are not UTF-8:
// clients replace them, and no node would find the file.
func checkPath(field, s string) error {
	if strings.ContainsRune(s, utf8.RuneError) {
		return FieldErrorf(field, "%q is not UTF-8; rename the file", s)
	}
	return checkText(field, s, maxPath)
}

func resolveInput(e *Encoding, p Parameters) error {
	if err := checkPath("parameters.input", p.Input); err != nil {
		return err
	}
	e.Input = p.Input
	switch scheme := strings.ToLower(schemeOf(p.Input)); {
	case scheme == "":
	case !slices.Contains(inputSchemes, scheme):
		return FieldErrorf("parameters.input", "scheme %q is not allowed; use a path, %s", scheme,
			either(inputSchemes))
	case scheme == "srt":
		_, err := ParseSRT(p.Input)
		return err
	case strings.HasPrefix(scheme, "rtsp"):
		u, err := url.Parse(p.Input)
		if err != nil || u.Hostname() == "" || strings.ContainsAny(p.Input, blanks) {
			return FieldErrorf("parameters.input", "must be rtsp://host/path, with user:password@ if it needs them; "+
				"other characters than letters and digits in these as %%XX")
		}
	}
	return nil
}

// schemeOf returns the scheme of a URL, "" of a path.
func schemeOf(s string) string {
	if scheme, _, ok := strings.Cut(s, "://"); ok && schemeForm.MatchString(scheme) {
		return scheme
	}
	return ""
}

func resolveDuration(e *Encoding, p Parameters) error {
	seconds := p.Duration
	field := "parameters.duration"
	if seconds == nil {
		seconds, field = p.DurationSeconds, "parameters.duration_seconds"
	}
	switch {
	case seconds != nil && (*seconds <= 0 || *seconds > maxDurationSeconds || math.IsNaN(*seconds)):
		return FieldErrorf(field, "must be more than 0 and at most %d seconds", maxDurationSeconds)
	case seconds != nil:
		e.Duration = *seconds
	case p.Input == "":
		e.Duration = patternSeconds
	}
	return resolveTrim(e, p)
}

func resolveOutput(e *Encoding, p Parameters) error {
	mode := p.OutputMode
	if mode == "" && p.RTMPURL != "" {
		mode = "rtmp"
	}
	switch mode {
	case "", "file":
		e.Mode = ToFile
	case "rtmp", "stream":
		e.Mode = ToRTMP
	case "null":
		e.Mode = ToNull
	default:
		return FieldErrorf("parameters.output_mode", "unknown value %q; use file, rtmp, stream or null", mode)
	}
	if e.Mode != ToRTMP && (p.RTMPURL != "" || p.StreamKey != "") {
		return FieldErrorf("parameters.output_mode", "rtmp_url and stream_key require rtmp, not %s", e.Mode)
	}
	if e.Mode != ToFile && p.Output != "" {
		return FieldErrorf("parameters.output", "requires output_mode file")
	}
	if schemeOf(p.Output) != "" {
		return FieldErrorf("parameters.output", "must be a path; to stream, set rtmp_url")
	}
	if err := checkPath("parameters.output", p.Output); err != nil {
		return err
	}
	if e.Mode != ToFile && p.Overwrite {
		return FieldErrorf("parameters.overwrite", "requires output_mode file")
	}
	e.Output, e.Overwrite = p.Output, p.Overwrite
	return checkExtension(p.Output)
}

// checkExtension returns an error unless the output's name is "" or ends in a known extension.
func checkExtension(output string) error {
	if output == "" || !strings.HasSuffix(output, "/") && containerOf(output) != nil {
		return nil
	}
	return FieldErrorf("parameters.output", "must end in one of %s", extensions(func(Container) bool { return true }))
}

func resolveURL(e *Encoding, p Parameters) error {
	if e.Mode != ToRTMP {
		return nil
	}
	u, err := url.Parse(p.RTMPURL)
	if err != nil || u.Host == "" || u.Scheme != "rtmp" && u.Scheme != "rtmps" ||
		strings.ContainsAny(p.RTMPURL, blanks) {
		return FieldErrorf("parameters.rtmp_url", "must be an rtmp:// or rtmps:// URL")
	}
	if strings.ContainsAny(p.StreamKey, "/"+blanks) || len(p.StreamKey) > 1024 {
		return FieldErrorf("parameters.stream_key", "must have at most 1024 bytes, and no white space or '/'")
	}
	e.URL = p.RTMPURL
	if p.StreamKey != "" {
		e.URL = strings.TrimSuffix(e.URL, "/") + "/" + p.StreamKey
	}
	return nil
}

// blanks must not occur in a URL or a stream key.
const blanks = " \t\n\r\x00"

func resolveSize(e *Encoding, p Parameters) error {
	if p.Resolution == "" {
		return resolveSides(e, p.ResolutionWidth, p.ResolutionHeight)
	}
	if s, ok := sizes[strings.ToLower(p.Resolution)]; ok {
		e.Width, e.Height = s.width, s.height
		return nil
	}
	m := resolutionForm.FindStringSubmatch(p.Resolution)
	if m == nil {
		return FieldErrorf("parameters.resolution",
			"%q is not WIDTHxHEIGHT, 4K, 2160p, 1440p, 1080p, 720p, 480p or 360p", p.Resolution)
	}
	e.Width, e.Height, e.ExactSize = atoi(m[1]), atoi(m[2]), true
	return cmp.Or(checkSide("parameters.resolution", e.Width), checkSide("parameters.resolution", e.Height))
}

// resolveSides applies v2.2's resolution_width and resolution_height.
func resolveSides(e *Encoding, width, height *int) error {
	switch {
	case width == nil && height == nil:
		return nil
	case width == nil:
		return FieldErrorf("parameters.resolution_width", "is required with resolution_height")
	case height == nil:
		return FieldErrorf("parameters.resolution_height", "is required with resolution_width")
	}
	e.Width, e.Height, e.ExactSize = *width, *height, true
	return cmp.Or(
		checkSide("parameters.resolution_width", e.Width), checkSide("parameters.resolution_height", e.Height))
}

func resolvePicture(e *Encoding, p Parameters) error {
	fps, field := p.FPS, "parameters.fps"
	if fps == nil {
		fps, field = p.FrameRate, "parameters.frame_rate"
	}
	if fps != nil {
		if !(*fps >= 1 && *fps <= maxFPS) {
			return FieldErrorf(field, "must be between 1 and %d", maxFPS)
		}
		e.FPS = *fps
	}
	if p.Bitrate != "" && !bitrateForm.MatchString(p.Bitrate) {
		return FieldErrorf("parameters.bitrate", "%q is not a bit rate such as 10M or 2500k", p.Bitrate)
	}
	e.Bitrate = p.Bitrate
	return checkThreads(e, p)
}

func checkThreads(e *Encoding, p Parameters) error {
	if p.Threads != nil {
		e.Threads = *p.Threads
	}
	return checkRange("parameters.threads", e.Threads, 0, maxThreads)
}

func checkSide(field string, n int) error {
	if n < 16 || n > 16384 || n%2 != 0 {
		return FieldErrorf(field, "width and height must be even and between 16 and 16384")
	}
	return nil
}

// atoi converts digits that a pattern has already matched.
func atoi(digits string) int {
	n := 0
	for _, c := range digits {
		n = n*10 + int(c-'0')
	}
	return n
}

func resolveLimits(e *Encoding, p Parameters) error {
	if p.ResourceLimits == nil {
		return nil
	}
	l := *p.ResourceLimits
	for _, c := range []struct {
		field    string
		value, n int
	}{
		{"timeout_sec", l.TimeoutSec, maxDurationSeconds},
		{"max_cpu_percent", l.MaxCPUPercent, 102400},
		{"max_memory_mb", l.MaxMemoryMB, 1 << 24},
		{"max_disk_mb", l.MaxDiskMB, 1 << 30},
	} {
		if c.value < 0 || c.value > c.n {
			return FieldErrorf("parameters.resource_limits."+c.field, "must be between 0 (no limit) and %d", c.n)
		}
	}
	e.Limits = l
	return nil
}

// resolveHang applies hang_timeout_sec.
func resolveHang(e *Encoding, p Parameters) error {
	if p.HangTimeoutSec == nil {
		return nil
	}
	e.HangTimeoutSec = *p.HangTimeoutSec
	return checkRange("parameters.hang_timeout_sec", e.HangTimeoutSec, minHangSeconds, maxHangSeconds)
}

// Redacted replaces a secret.
const Redacted = "REDACTED"

// RedactParameters returns parameters without their secrets: the stream key, and the parts of
// URLs that may contain one. Only the node that runs the job gets the secrets.
func RedactParameters(raw json.RawMessage) json.RawMessage {
	if !bytes.Contains(raw, []byte("stream_key")) && !bytes.Contains(raw, []byte("://")) {
		return raw
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return json.RawMessage(`{}`)
	}
	replace := func(name string, redact func(string) string) {
		var s string
		if err := json.Unmarshal(fields[name], &s); err == nil && s != "" {
			// A string always marshals.
			fields[name], _ = json.Marshal(redact(s))
		}
	}
	_, keyed := fields["stream_key"]
	replace("stream_key", func(string) string { return Redacted })
	replace("rtmp_url", func(s string) string { return redactURL(s, !keyed) })
	replace("input", func(s string) string {
		if schemeOf(s) == "" {
			return s
		}
		return redactURL(s, rtmp(s))
	})
	out, err := json.Marshal(fields)
	if err != nil {
		return json.RawMessage(`{}`)
	}
	return out
}

// redactURL replaces user name, password and query. If last is set, it also replaces the last of
// two or more path elements, which is the stream key in RTMP.
func redactURL(s string, last bool) string {
	u, err := url.Parse(s)
	if err != nil {
		return Redacted
	}
	if u.User != nil {
		u.User = url.User(Redacted)
	}
	if u.RawQuery != "" {
		u.RawQuery = Redacted
	}
	if dir, name := path.Split(u.Path); last && name != "" && strings.Count(dir, "/") > 1 {
		u.Path, u.RawPath = dir+Redacted, ""
	}
	return u.String()
}
