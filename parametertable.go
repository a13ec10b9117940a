package ffrtmp

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	everyKind  = []string{KindVideo, KindAudio, KindCopy}
	encoding   = []string{KindVideo, KindAudio}
	videoKind  = []string{KindVideo}
	streamable = []string{KindVideo, KindCopy}
)

// parameterTable describes every parameter; tests hold it to the checks and to the OpenAPI document.
var parameterTable = append([]Parameter{
	about("input", "string", everyKind, `"in/film.mkv"`,
		"path below a media root, or http, https, rtmp, rtmps, srt, rtsp or rtsps URL; left out: a test pattern "+
			"with a tone. A .png, .jpg, .webp or .bmp is shown for duration"),
	about("output", "string", everyKind, `"out/film.mp4"`,
		"path below a media root; its extension is the container; left out: job_ID with the scenario's"),
	about("overwrite", "boolean", everyKind, `true`, "replace an existing output that is not this job's own").
		defaults("false"),
	about("strict", "boolean", everyKind, `true`, "errors while decoding a damaged source fail the job, not just warn").
		defaults("false"),
	about("output_mode", "string", everyKind, `"file"`, "where the output goes; stream is rtmp, null discards it").
		defaults("file").oneOf("file", "rtmp", "stream", "null"),
	about("rtmp_url", "string", streamable, `"rtmp://live.example.com/app"`,
		"server that the output is streamed to; only the node that runs the job gets it").
		with(`{"output_mode":"rtmp"}`),
	about("stream_key", "string", streamable, `"secret"`,
		"last part of the URL; only the node that runs the job gets it").
		with(`{"output_mode":"rtmp","rtmp_url":"rtmp://live.example.com/app"}`),
	about("duration", "number", everyKind, `60`,
		"seconds to encode; left out: the whole input, or 10 of a test pattern").
		above(0, maxDurationSeconds),
	about("start", "number or string", encoding, `"00:01:30.500"`,
		"where to begin in the input, exact to the frame: seconds, MM:SS or HH:MM:SS, with a fraction").
		defaults("0").form(timeForm).within(0, maxDurationSeconds),
	about("end", "number or string", everyKind, `95`,
		"where to end in the input, in the form of start and after it; instead of duration").
		defaults("the input's end").form(timeForm).above(0, maxDurationSeconds),
	about("bitrate", "string", videoKind, `"2500k"`, "bits per second of the video, with k or M").
		defaults("the encoder's quality").form(bitrateForm),
	about("codec", "string", videoKind, `"h264"`, "a codec, or an encoder's own name").defaults("the scenario's").
		oneOf(append(slices.Sorted(maps.Keys(softwareEncoders)), Encoders...)...),
	aboutPreset(),
	about("resolution", "string", videoKind, `"1280x720"`,
		"WIDTHxHEIGHT, even and from 16 to 16384 (libsvtav1 from 64), or a scenario's size").defaults("the scenario's").
		oneOf(sizeNames...).form(resolutionForm),
	about("fps", "number", videoKind, `30`, "frames per second").defaults("the scenario's, or the source's").
		within(1, maxFPS),
	about("threads", "integer", encoding, `4`, "threads of the encoder; 0: its own choice").defaults("0").
		within(0, maxThreads),
	about("hwaccel", "string", videoKind, `"nvenc"`, "family of hardware encoders").
		defaults("none").oneOf(append([]string{"none", "auto"}, slices.Sorted(maps.Keys(hardwareFamilies))...)...),
	about("audio_codec", "string", streamable, `"none"`, "codec of the sound; copy is for remux").
		defaults("the first that the container holds").
		oneOf(append(slices.Sorted(maps.Keys(audioEncoders)), "copy")...),
	about("audio_bitrate", "string", encoding, `"128k"`, "bits per second of the sound, 8k to 1000k").
		defaults("the encoder's").form(bitrateForm),
	audioParameter(),
	subtitlesParameter(),
	about("fit", "string", videoKind, `"pad"`, "how a source of another shape than the resolution fits it").
		defaults(FitInside).oneOf(FitInside, FitPad, FitCrop, FitStretch),
	about("crop_rect", "string", videoKind, `"1920:800:0:140"`,
		"WIDTH:HEIGHT:X:Y of the source as displayed, cut before scaling").form(rectForm),
	about("pad_color", "string", videoKind, `"black"`, "color of the bars of fit pad: a name, or #RRGGBB").
		with(`{"fit":"pad"}`).defaults("black").oneOf(colors...).form(colorForm),
	about("hdr", "string", videoKind, `"tonemap"`,
		"HDR sources become BT.709, or stay HDR in 10 bit (hevc, vp9 and av1 in software)").
		defaults("tonemap").with(`{"codec":"hevc"}`).oneOf("tonemap", "keep"),
	about("deinterlace", "string", videoKind, `"on"`,
		"auto: frames that are flagged as interlaced; on: every frame, for sources without flags; off: none").
		defaults("auto").with(`{"input":"in/film.mkv"}`).oneOf("auto", DeinterlaceOn, DeinterlaceOff),
	about("denoise", "string", videoKind, `"light"`, "remove noise before encoding, at the cost of fine detail").
		defaults("off").with(`{"input":"in/film.mkv"}`).oneOf("off", DenoiseLight, DenoiseMedium, DenoiseStrong),
	watermarkParameter(),
	about("picture", "string", videoKind, `"cover.png"`,
		"still picture, below a media root, that is shown as long as the sound of an input without video").
		with(`{"input":"song.mp3"}`),
	about("resource_limits", "object", everyKind, `{"timeout_sec":3600,"max_memory_mb":4096}`,
		"limits of one attempt: timeout_sec, max_cpu_percent (of one thread), max_memory_mb, max_disk_mb; 0 is none"),
	about("reconnect", "number or string", streamable, `"forever"`,
		"lost connections in a row that a stream survives, 0 to 1000, or forever; 60 s of streaming restore them all").
		with(`{"output_mode":"rtmp","rtmp_url":"rtmp://live.example.com/app"}`).defaults("3").oneOf(forever).
		within(0, maxReconnect),
	about("hang_timeout_sec", "integer", everyKind, `60`, "how long ffmpeg may make no progress").defaults("60").
		within(minHangSeconds, maxHangSeconds),
	about("duration_seconds", "number", everyKind, `60`, "").alias("duration").above(0, maxDurationSeconds),
	about("resolution_width", "integer", videoKind, `1280`, "even").alias("resolution").
		with(`{"resolution_height":720}`).within(16, 16384),
	about("resolution_height", "integer", videoKind, `720`, "even").alias("resolution").
		with(`{"resolution_width":1280}`).within(16, 16384),
	about("frame_rate", "number", videoKind, `30`, "").alias("fps").within(1, maxFPS),
	about("engine", "string", everyKind, `"auto"`, "v2.2's; ffmpeg in any case").oneOf("auto", "ffmpeg"),
}, slices.Concat(loudnessParameters(), qualityParameters())...)

func about(name, kind string, kinds []string, example, description string) Parameter {
	return Parameter{
		Name: name, Type: kind, Kinds: kinds, Example: json.RawMessage(example), Description: description,
	}
}

func (p Parameter) defaults(value string) Parameter { p.Default = value; return p }

func (p Parameter) oneOf(values ...string) Parameter { p.Values = values; return p }

func (p Parameter) form(of *regexp.Regexp) Parameter { p.Pattern = of.String(); return p }

func (p Parameter) with(others string) Parameter { p.With = json.RawMessage(others); return p }

func (p Parameter) alias(of string) Parameter { p.AliasOf = of; return p }

func (p Parameter) within(minimum, maximum float64) Parameter {
	p.Minimum, p.Maximum = &minimum, &maximum
	return p
}

func (p Parameter) above(minimum, maximum float64) Parameter {
	p = p.within(minimum, maximum)
	p.Above = true
	return p
}

// aboutPreset lists the presets of each encoder that has some.
func aboutPreset() Parameter {
	p := about("preset", "string", videoKind, `"fast"`, "speed against size, one of the encoder's").
		defaults("the encoder's")
	for _, c := range cataloguePresets() {
		p.Encoders = append(p.Encoders, ParameterRange{Encoders: []string{c.Encoder}, Values: c.Presets})
	}
	return p
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// Range describes in words which values the parameter takes; "" if that depends on the encoder or needs a sentence.
func (p *Parameter) Range() string {
	switch {
	case len(p.Values) > 0 && p.Minimum != nil:
		return number(*p.Minimum) + " to " + number(*p.Maximum) + ", or " + strings.Join(p.Values, " ")
	case len(p.Values) > 0 && p.Pattern != "":
		return strings.Join(p.Values, " ") + ", or as described"
	case len(p.Values) > 0:
		return strings.Join(p.Values, " ")
	case p.Minimum != nil && p.Above:
		return "above " + number(*p.Minimum) + ", at most " + number(*p.Maximum)
	case p.Minimum != nil:
		return number(*p.Minimum) + " to " + number(*p.Maximum)
	}
	return ""
}
