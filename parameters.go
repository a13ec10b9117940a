package ffrtmp

import (
	"encoding/json"
	"math"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/ffrtmp/ffrtmp/internal/strictjson"
)

// Parameters is what a submission may say about the encode, over its scenario.
// Pointers tell "not given" from a value that is out of range.
type Parameters struct {
	Input          string          `json:"input"`
	Output         string          `json:"output"`
	OutputMode     string          `json:"output_mode"`
	RTMPURL        string          `json:"rtmp_url"`
	StreamKey      string          `json:"stream_key"`
	Duration       *float64        `json:"duration"` // seconds
	Bitrate        string          `json:"bitrate"`  // as ffmpeg's -b:v: 10M, 2500k
	Codec          string          `json:"codec"`
	Preset         string          `json:"preset"`
	Resolution     string          `json:"resolution"` // WIDTHxHEIGHT or a scenario's size
	FPS            *float64        `json:"fps"`
	Threads        *int            `json:"threads"`
	HWAccel        string          `json:"hwaccel"`
	AudioCodec     string          `json:"audio_codec"`
	AudioBitrate   string          `json:"audio_bitrate"`
	ResourceLimits *ResourceLimits `json:"resource_limits"`

	// v2.2's spellings; each fills in what its new name leaves out.
	DurationSeconds  *float64 `json:"duration_seconds"`
	ResolutionWidth  *int     `json:"resolution_width"`
	ResolutionHeight *int     `json:"resolution_height"`
	FrameRate        *float64 `json:"frame_rate"`
	Engine           string   `json:"engine"`
}

// ResourceLimits bounds what one attempt may use. Zero is no limit.
type ResourceLimits struct {
	TimeoutSec    int `json:"timeout_sec"`
	MaxCPUPercent int `json:"max_cpu_percent"` // of one thread: 200 is two threads
	MaxMemoryMB   int `json:"max_memory_mb"`
	MaxDiskMB     int `json:"max_disk_mb"`
}

// OutputMode is where an encode goes.
type OutputMode string

// Output modes. The API's "stream" is another name for RTMP.
const (
	ToFile OutputMode = "file"
	ToRTMP OutputMode = "rtmp"
	ToNull OutputMode = "null"
)

// Encoding is what a scenario and its parameters come to: everything that an
// agent needs to build ffmpeg's arguments.
type Encoding struct {
	Live         bool
	Input        string // path, URL, or "" for a test pattern
	Mode         OutputMode
	Output       string  // path; "" for the default name; only in mode ToFile
	URL          string  // where to stream, key included; only in mode ToRTMP
	Duration     float64 // seconds; 0: the whole input
	Width        int     // used when ExactSize or for a test pattern
	Height       int
	ExactSize    bool    // else the width follows the source's aspect ratio
	FPS          float64 // 0: the source's
	Encoder      string  // ffmpeg's name
	HWAccel      string  // "", cuda, nvenc, qsv or vaapi
	Bitrate      string  // "" leaves it to the encoder's quality default
	Preset       string
	Threads      int
	AudioEncoder string // ffmpeg's name; "" for no audio
	AudioBitrate string
	Limits       ResourceLimits
}

// patternSeconds is how long a test pattern runs when no duration is given.
const patternSeconds = 10

const (
	maxDurationSeconds = 30 * 24 * 3600
	maxPath            = 4096 // bytes
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

// ParseParameters reads a parameters object; nil is an empty one. Unknown
// parameters are errors.
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

// Resolve gives the meaning of a scenario under parameters, or an Invalid error
// that names the field at fault.
func Resolve(name string, p Parameters) (Encoding, error) {
	s, err := parseScenario(name)
	if err != nil {
		return Encoding{}, err
	}
	e := Encoding{Live: s.live, Width: s.size.width, Height: s.size.height, FPS: s.fps}
	for _, step := range []func(*Encoding, Parameters) error{resolveInput, resolveOutput, resolvePicture, resolveAudio, resolveLimits} {
		if err := step(&e, p); err != nil {
			return Encoding{}, err
		}
	}
	codec := s.codec
	if p.Codec != "" {
		codec = strings.ToLower(p.Codec)
	}
	if e.Encoder, err = resolveEncoder(codec, p.HWAccel); err != nil {
		return Encoding{}, err
	}
	if p.HWAccel != "none" && p.HWAccel != "auto" {
		e.HWAccel = p.HWAccel
	}
	if p.Preset != "" && !slices.Contains(presets(e.Encoder), p.Preset) {
		return Encoding{}, FieldErrorf("parameters.preset", "%q is not a preset of %s", p.Preset, e.Encoder)
	}
	e.Preset = p.Preset
	if e.Mode == ToRTMP && !slices.Contains([]string{"libx264", "h264_nvenc", "h264_qsv", "h264_vaapi"}, e.Encoder) {
		return Encoding{}, FieldErrorf("parameters.codec", "RTMP carries H.264 only, not what %s makes", e.Encoder)
	}
	return e, nil
}

func resolveInput(e *Encoding, p Parameters) error {
	if err := checkText("parameters.input", p.Input, maxPath); err != nil {
		return err
	}
	if m := urlForm.FindStringSubmatch(p.Input); m != nil && !slices.Contains(inputSchemes, strings.ToLower(m[1])) {
		return FieldErrorf("parameters.input", "the scheme %q is not allowed; use a path, http, https, rtmp or rtmps", m[1])
	}
	e.Input = p.Input
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
		return FieldErrorf("parameters.output_mode", "must be rtmp, with an rtmp_url, for a stream_key or rtmp_url to be of use; it is %s", e.Mode)
	}
	if e.Mode != ToFile && p.Output != "" {
		return FieldErrorf("parameters.output", "goes with output_mode file only")
	}
	if urlForm.MatchString(p.Output) {
		return FieldErrorf("parameters.output", "must be a path; to stream, set rtmp_url")
	}
	if err := checkText("parameters.output", p.Output, maxPath); err != nil {
		return err
	}
	if p.Output != "" && (strings.HasSuffix(p.Output, "/") || !slices.Contains(outputExtensions, strings.ToLower(path.Ext(p.Output)))) {
		return FieldErrorf("parameters.output", "must name a file that ends in one of %s", strings.Join(outputExtensions, ", "))
	}
	e.Output = p.Output
	if e.Mode != ToRTMP {
		return nil
	}
	u, err := url.Parse(p.RTMPURL)
	if err != nil || u.Host == "" || u.Scheme != "rtmp" && u.Scheme != "rtmps" || strings.ContainsAny(p.RTMPURL, " \t\n\r\x00") {
		return FieldErrorf("parameters.rtmp_url", "must be an rtmp:// or rtmps:// URL")
	}
	if strings.ContainsAny(p.StreamKey, "/ \t\n\r\x00") || len(p.StreamKey) > 1024 {
		return FieldErrorf("parameters.stream_key", "must have no white space or '/' and at most 1024 bytes")
	}
	e.URL = p.RTMPURL
	if p.StreamKey != "" {
		e.URL = strings.TrimSuffix(e.URL, "/") + "/" + p.StreamKey
	}
	return nil
}

// outputExtensions are the containers that an agent can write and verify.
var outputExtensions = []string{".mp4", ".mkv", ".mov", ".webm", ".ts", ".flv"}

func resolvePicture(e *Encoding, p Parameters) error {
	if p.Resolution != "" {
		if s, ok := sizes[strings.ToLower(p.Resolution)]; ok {
			e.Width, e.Height = s.width, s.height
		} else if m := resolutionForm.FindStringSubmatch(p.Resolution); m != nil {
			e.Width, e.Height, e.ExactSize = atoi(m[1]), atoi(m[2]), true
		} else {
			return FieldErrorf("parameters.resolution", "%q is not WIDTHxHEIGHT, 4K, 2160p, 1440p, 1080p, 720p, 480p or 360p", p.Resolution)
		}
		if err := checkSide("parameters.resolution", e.Width); err != nil {
			return err
		}
		if err := checkSide("parameters.resolution", e.Height); err != nil {
			return err
		}
	} else if p.ResolutionWidth != nil || p.ResolutionHeight != nil {
		if p.ResolutionWidth == nil {
			return FieldErrorf("parameters.resolution_width", "goes together with resolution_height")
		}
		if p.ResolutionHeight == nil {
			return FieldErrorf("parameters.resolution_height", "goes together with resolution_width")
		}
		if err := checkSide("parameters.resolution_width", *p.ResolutionWidth); err != nil {
			return err
		}
		if err := checkSide("parameters.resolution_height", *p.ResolutionHeight); err != nil {
			return err
		}
		e.Width, e.Height, e.ExactSize = *p.ResolutionWidth, *p.ResolutionHeight, true
	}
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
		if *p.Threads < 0 || *p.Threads > 1024 {
			return FieldErrorf("parameters.threads", "must be between 0 and 1024")
		}
		e.Threads = *p.Threads
	}
	return nil
}

func checkSide(field string, n int) error {
	if n < 16 || n > 16384 || n%2 != 0 {
		return FieldErrorf(field, "width and height must be even and between 16 and 16384")
	}
	return nil
}

// atoi reads digits that a pattern has already matched.
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

// Redacted stands where a secret was.
const Redacted = "REDACTED"

// RedactParameters returns the parameters as they may be shown: without the
// stream key, and without the part of an RTMP URL that may hold one. Only the
// node that runs the job sees the whole.
func RedactParameters(raw json.RawMessage) json.RawMessage {
	if !strings.Contains(string(raw), "stream_key") && !strings.Contains(string(raw), "://") {
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

// redactURL hides a password and a query; with hidden last, the last element of
// a path of two or more, which RTMP uses as the stream key.
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
