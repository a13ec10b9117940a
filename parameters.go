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

	"github.com/ffrtmp/ffrtmp/internal/strictjson"
)

// Parameters are the encoding options of a job. They override its scenario. A nil pointer means
// that the option was not given.
type Parameters struct {
	Input          string          `json:"input"`
	Output         string          `json:"output"`
	OutputMode     string          `json:"output_mode"`
	RTMPURL        string          `json:"rtmp_url"`
	StreamKey      string          `json:"stream_key"`
	Duration       *float64        `json:"duration"` // seconds
	Bitrate        string          `json:"bitrate"`  // bits per second as in ffmpeg's -b:v: 10M, 2500k
	Codec          string          `json:"codec"`
	Preset         string          `json:"preset"`
	Resolution     string          `json:"resolution"` // WIDTHxHEIGHT or a scenario's size
	FPS            *float64        `json:"fps"`
	Threads        *int            `json:"threads"`
	HWAccel        string          `json:"hwaccel"`
	AudioCodec     string          `json:"audio_codec"`
	AudioBitrate   string          `json:"audio_bitrate"`
	ResourceLimits *ResourceLimits `json:"resource_limits"`

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

// Encoding is a resolved scenario and its parameters: everything an agent needs to build
// ffmpeg's arguments.
type Encoding struct {
	Live         bool
	Input        string // path, URL, or "" for a test pattern
	Mode         OutputMode
	Output       string  // path; "": the default name; only in mode ToFile
	URL          string  // RTMP URL with the stream key; only in mode ToRTMP
	Duration     float64 // seconds; 0: the whole input
	Width        int     // pixels; used if ExactSize, or for a test pattern
	Height       int
	ExactSize    bool    // false: the width follows the source's aspect ratio
	FPS          float64 // 0: the source's
	Encoder      string  // ffmpeg's name
	HWAccel      string  // "", cuda, nvenc, qsv or vaapi
	Bitrate      string  // "": the encoder's default quality
	Preset       string
	Threads      int
	AudioEncoder string // ffmpeg's name; "": no audio
	AudioBitrate string
	Limits       ResourceLimits
}

// patternSeconds is the default duration of a test pattern.
const patternSeconds = 10

const (
	maxDurationSeconds = 30 * 24 * 3600
	maxPath            = 4096 // bytes
	maxThreads         = 1024
)

var (
	bitrateForm    = regexp.MustCompile(`^[1-9]\d{0,8}(\.\d{1,3})?[kKmM]?$`)
	resolutionForm = regexp.MustCompile(`^([1-9]\d{1,4})x([1-9]\d{1,4})$`)
	urlForm        = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9+.-]*)://`)
)

var (
	parameterNames = strictjson.Fields[Parameters]()
	limitNames     = strictjson.Fields[ResourceLimits]()
)

var inputSchemes = []string{"http", "https", "rtmp", "rtmps"}

// ParseParameters decodes a parameters object; nil and null are an empty one. An unknown
// parameter is an Invalid error that names it.
func ParseParameters(raw json.RawMessage) (Parameters, error) {
	var p Parameters
	if len(raw) == 0 || string(raw) == "null" {
		return p, nil
	}
	given, err := decodeStrict(raw, "parameters", parameterNames, &p)
	if err != nil || p.ResourceLimits == nil {
		return p, err
	}
	_, err = decodeStrict(given["resource_limits"], "parameters.resource_limits", limitNames, p.ResourceLimits)
	return p, err
}

// Resolve applies parameters to a scenario such as live-1080p60-h264. The error is Invalid and
// names the field at fault.
func Resolve(name string, p Parameters) (Encoding, error) {
	s, err := parseScenario(name)
	if err != nil {
		return Encoding{}, err
	}
	e := Encoding{Live: s.live, Width: s.size.width, Height: s.size.height, FPS: s.fps}
	steps := []func(*Encoding, Parameters) error{
		resolveInput, resolveDuration, resolveOutput, resolveURL, resolveSize, resolvePicture,
		resolveAudio, resolveLimits,
	}
	for _, step := range steps {
		if err := step(&e, p); err != nil {
			return Encoding{}, err
		}
	}
	if err := resolveCodec(&e, p, s.codec); err != nil {
		return Encoding{}, err
	}
	return e, nil
}

// resolveCodec sets the encoder and what depends on it. The codec is the scenario's.
func resolveCodec(e *Encoding, p Parameters, codec string) (err error) {
	if p.Codec != "" {
		codec = strings.ToLower(p.Codec)
	}
	if e.Encoder, err = resolveEncoder(codec, p.HWAccel); err != nil {
		return err
	}
	if p.HWAccel != "none" && p.HWAccel != "auto" {
		e.HWAccel = p.HWAccel
	}
	if p.Preset != "" && !slices.Contains(presets(e.Encoder), p.Preset) {
		return FieldErrorf("parameters.preset", "%q is not a preset of %s", p.Preset, e.Encoder)
	}
	e.Preset = p.Preset
	if e.Mode == ToRTMP && !slices.Contains(rtmpEncoders, e.Encoder) {
		return FieldErrorf("parameters.codec", "RTMP supports H.264 only; the encoder is %s", e.Encoder)
	}
	return nil
}

// rtmpEncoders are the encoders whose codec RTMP supports.
var rtmpEncoders = []string{"libx264", "h264_nvenc", "h264_qsv", "h264_vaapi"}

func resolveInput(e *Encoding, p Parameters) error {
	if err := checkText("parameters.input", p.Input, maxPath); err != nil {
		return err
	}
	if m := urlForm.FindStringSubmatch(p.Input); m != nil && !slices.Contains(inputSchemes, strings.ToLower(m[1])) {
		return FieldErrorf("parameters.input", "scheme %q is not allowed; use a path, http, https, rtmp or rtmps", m[1])
	}
	e.Input = p.Input
	return nil
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
	return nil
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
	if urlForm.MatchString(p.Output) {
		return FieldErrorf("parameters.output", "must be a path; to stream, set rtmp_url")
	}
	if err := checkText("parameters.output", p.Output, maxPath); err != nil {
		return err
	}
	extension := strings.ToLower(path.Ext(p.Output))
	if p.Output != "" && (strings.HasSuffix(p.Output, "/") || !slices.Contains(outputExtensions, extension)) {
		return FieldErrorf("parameters.output", "must end in one of %s", strings.Join(outputExtensions, ", "))
	}
	e.Output = p.Output
	return nil
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

// outputExtensions are the containers an agent can write and verify.
var outputExtensions = []string{".mp4", ".mkv", ".mov", ".webm", ".ts", ".flv"}

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

func resolveAudio(e *Encoding, p Parameters) error {
	codec := p.AudioCodec
	if codec == "" {
		codec = "aac"
		if strings.EqualFold(path.Ext(p.Output), ".webm") {
			codec = "opus"
		}
	}
	encoder, ok := audioEncoders[codec]
	if !ok {
		return FieldErrorf("parameters.audio_codec", "unknown value %q; use aac, mp3, opus, ac3 or none", codec)
	}
	if p.AudioBitrate != "" && !bitrateForm.MatchString(p.AudioBitrate) {
		return FieldErrorf("parameters.audio_bitrate", "%q is not a bit rate such as 128k", p.AudioBitrate)
	}
	e.AudioEncoder, e.AudioBitrate = encoder, p.AudioBitrate
	return nil
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
		if !urlForm.MatchString(s) {
			return s
		}
		return redactURL(s, strings.HasPrefix(s, "rtmp"))
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
