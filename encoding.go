package ffrtmp

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Encoding is a resolved scenario and its parameters: everything an agent needs to build
// ffmpeg's arguments.
type Encoding struct {
	Live         bool
	Input        string // path, URL, or "" for a test pattern
	Mode         OutputMode
	Output       string  // path; "": the default name; only in mode ToFile
	Overwrite    bool    // replace an existing output
	URL          string  // RTMP URL with the stream key; only in mode ToRTMP
	Duration     float64 // seconds; 0: the whole input
	Start        float64 // of the input, in seconds
	Width        int     // pixels; used if ExactSize, or for a test pattern
	Height       int
	ExactSize    bool    // false: the width follows the source's aspect ratio
	FPS          float64 // 0: the source's
	Encoder      string  // ffmpeg's name; "": no video, or a copy of it
	Copy         bool    // neither video nor audio is encoded; AudioEncoder is "copy" or "" for no audio
	HWAccel      string  // "", cuda, nvenc, qsv or vaapi
	Bitrate      string  // "": the encoder's default quality
	Preset       string
	Threads      int
	AudioEncoder string // ffmpeg's name; "": no audio
	AudioBitrate string
	Loudness     *Loudness    // of the sound without AudioTracks; nil: the source's
	AudioTracks  []AudioTrack // of the output; empty: the source's first, with AudioEncoder
	Subtitles    []SubtitleTrack
	Fit          string // how the source's shape meets ExactSize: inside, pad, crop or stretch
	PadColor     string
	Crop         *Rect  // of the source's picture, as displayed
	Deinterlace  string // on: every frame, off: none, "": those that are flagged
	Denoise      string // light, medium or strong; "": not at all
	Watermark    *Mark  // drawn over the picture
	Still        bool   // the input is a still picture
	Picture      string // path of the still picture that is shown; the input is sound. "": the input's video
	KeepHDR      bool   // an HDR source stays HDR; else it is tone-mapped
	Quality

	Strict         bool // errors while decoding fail the job; else they are a warning
	Limits         ResourceLimits
	HangTimeoutSec int  // 0: the default
	Reconnect      int  // lost connections in a row that a stream survives; Forever: any number
	Rejoin         bool // a live input that ends is a lost connection, too: reconnect was given
}

// PatternFPS is the frame rate of a test pattern unless the job sets one.
const PatternFPS = 30

// StreamBitrate is the default bit rate of a stream: about 0.1 bit per pixel, as large streaming sites recommend for
// H.264.
func (e *Encoding) StreamBitrate() string {
	pixels := float64(e.Width) * float64(e.Height) * cmp.Or(e.FPS, PatternFPS)
	return strconv.FormatInt(max(400_000, int64(pixels/10)), 10)
}

// Resolve applies parameters to a scenario such as live-1080p60-h264 or audio-aac. The error is Invalid and names the
// field at fault.
func Resolve(name string, p Parameters) (Encoding, error) {
	s, err := parseScenario(name)
	if err != nil {
		return Encoding{}, err
	}
	e := Encoding{Live: s.live, Width: s.size.width, Height: s.size.height, FPS: s.fps, Copy: s.remux, Strict: p.Strict}
	for _, step := range s.steps() {
		if err := step(&e, p); err != nil {
			return Encoding{}, err
		}
	}
	return e, nil
}

// steps returns what to resolve for a kind of scenario, in order.
func (s scenario) steps() []func(*Encoding, Parameters) error {
	steps := []func(*Encoding, Parameters) error{
		resolveInput, resolveDuration, resolveOutput, resolveURL, resolveLimits, resolveHang, resolveReconnect,
	}
	switch {
	case s.remux:
		return append(steps, s.checkForeign, resolveCopy, s.resolveAudioTracks, resolveSubtitles)
	case s.audio != "":
		return append(steps, s.checkForeign, s.resolveSound, resolveLoudness, s.resolveAudioTracks)
	}
	steps = append(steps, resolveSize, resolvePicture, resolveFit, resolveCleaning, resolveWatermark, resolveAudio,
		resolveLoudness, resolvePictures)
	return append(steps, func(e *Encoding, p Parameters) error {
		return cmp.Or(resolveCodec(e, p, s.codec), checkVideoOutput(e), s.resolveAudioTracks(e, p),
			resolveSubtitles(e, p), resolveHDR(e, p), checkPair(e),
			checkEncoderSize(e), resolveQuality(e, p))
	})
}

// checkForeign returns an error that names the first parameter that a scenario without video encoding does not have.
func (s scenario) checkForeign(_ *Encoding, p Parameters) error {
	for _, c := range []struct {
		name  string
		given bool
	}{
		{"codec", p.Codec != ""},
		{"bitrate", p.Bitrate != ""},
		{"preset", p.Preset != ""},
		{"resolution", p.Resolution != ""},
		{"resolution_width", p.ResolutionWidth != nil},
		{"resolution_height", p.ResolutionHeight != nil},
		{"fps", p.FPS != nil},
		{"frame_rate", p.FrameRate != nil},
		{"hwaccel", p.HWAccel != "" && p.HWAccel != "none" && p.HWAccel != "auto"},
		{"fit", p.Fit != ""},
		{"crop_rect", p.CropRect != ""},
		{"pad_color", p.PadColor != ""},
		{"hdr", p.HDR != ""},
		{"deinterlace", p.Deinterlace != ""},
		{"denoise", p.Denoise != ""},
		{"watermark", p.Watermark != nil},
		{"picture", p.Picture != ""},
		{"input", PictureFormat(p.Input) != "" && schemeOf(p.Input) == ""}, // a picture
		{"subtitles", p.Subtitles != nil && !s.remux},
		{"threads", p.Threads != nil && s.remux},
		{"start", p.Start.given() && s.remux}, // a copy begins at a key frame
		{"crf", p.CRF != nil},
		{"two_pass", p.TwoPass},
		{"maxrate", p.MaxRate != ""},
		{"bufsize", p.BufSize != ""},
		{"gop_seconds", p.GOPSeconds != nil},
		{"profile", p.Profile != ""},
		{"level", p.Level != ""},
		{"pix_fmt", p.PixFmt != ""},
		{"tune", p.Tune != ""},
		{"film_grain", p.FilmGrain != nil},
		{"loudness", p.Loudness != nil && s.remux},
		{"true_peak", p.TruePeak != nil && s.remux},
		{"loudness_range", p.LoudnessRange != nil && s.remux},
		{"audio_bitrate", p.AudioBitrate != "" && (s.remux || s.audio == "flac" || s.audio == "pcm")},
	} {
		if c.given {
			return FieldErrorf("parameters."+c.name, "does not apply to scenario %s", s.name)
		}
	}
	return nil
}

// resolveCopy resolves scenario remux, which copies video and audio into another container.
func resolveCopy(e *Encoding, p Parameters) error {
	switch {
	case p.Input == "":
		return FieldErrorf("parameters.input", "is required for scenario remux")
	case p.AudioCodec == "" || p.AudioCodec == "copy":
		e.AudioEncoder = "copy"
	case p.AudioCodec != "none":
		return FieldErrorf("parameters.audio_codec", "scenario remux copies audio; use copy or none")
	}
	return nil
}

// resolveSound resolves an audio scenario.
func (s scenario) resolveSound(e *Encoding, p Parameters) error {
	encoder := audioEncoders[s.audio]
	if p.AudioCodec != "" && audioEncoders[p.AudioCodec] != encoder {
		return FieldErrorf("parameters.audio_codec", "contradicts scenario %s", s.name)
	}
	if e.Mode == ToRTMP {
		return FieldErrorf("parameters.output_mode", "scenario %s makes a file", s.name)
	}
	e.AudioEncoder = encoder
	return cmp.Or(resolveAudioBitrate(e, p), checkThreads(e, p), checkPair(e))
}

// checkVideoOutput returns an error that names the output if its container holds no video.
func checkVideoOutput(e *Encoding) error {
	c := e.Container()
	if len(c.Video) > 0 {
		return nil
	}
	return FieldErrorf("parameters.output", "a %s file holds no video; use scenario audio-%s, or one of %s",
		c.Extension,
		strings.TrimSuffix(c.Audio[0], "_s16le"), extensions(func(c Container) bool { return len(c.Video) > 0 }))
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

// resolveAudio sets the audio encoder of a video scenario, by default the container's first.
func resolveAudio(e *Encoding, p Parameters) error {
	codec := p.AudioCodec
	if codec == "" {
		codec = e.Container().Audio[0]
	}
	encoder, ok := audioEncoders[codec]
	if !ok {
		return FieldErrorf("parameters.audio_codec", "unknown value %q; use aac, mp3, opus, ac3, flac, pcm or none",
			codec)
	}
	e.AudioEncoder = encoder
	return resolveAudioBitrate(e, p)
}

func resolveAudioBitrate(e *Encoding, p Parameters) error {
	e.AudioBitrate = p.AudioBitrate
	return checkAudioRate("parameters.audio_bitrate", p.AudioBitrate)
}
