package ffrtmp

import (
	"slices"
	"strings"
)

// softwareEncoders maps a codec, as named in a scenario or the codec parameter, to ffmpeg's
// software encoder for it.
var softwareEncoders = map[string]string{
	"h264": "libx264",
	"h265": "libx265",
	"hevc": "libx265",
	"vp9":  "libvpx-vp9",
	"av1":  "libsvtav1",
}

// hardwareFamilies maps the hwaccel parameter to the suffix of its encoders and the codecs
// they support.
var hardwareFamilies = map[string]struct {
	suffix string
	codecs []string
}{
	"cuda":  {"_nvenc", []string{"h264", "hevc", "av1"}},
	"nvenc": {"_nvenc", []string{"h264", "hevc", "av1"}},
	"qsv":   {"_qsv", []string{"h264", "hevc", "vp9", "av1"}},
	"vaapi": {"_vaapi", []string{"h264", "hevc", "vp9", "av1"}},
}

// Encoders lists the ffmpeg names of the video encoders a job may use, software encoders first.
var Encoders = []string{
	"libx264", "libx265", "libvpx-vp9", "libsvtav1", "libaom-av1",
	"h264_nvenc", "hevc_nvenc", "av1_nvenc",
	"h264_qsv", "hevc_qsv", "vp9_qsv", "av1_qsv",
	"h264_vaapi", "hevc_vaapi", "vp9_vaapi", "av1_vaapi",
}

var audioEncoders = map[string]string{
	"aac":        "aac",
	"mp3":        "libmp3lame",
	"libmp3lame": "libmp3lame",
	"opus":       "libopus",
	"libopus":    "libopus",
	"ac3":        "ac3",
	"flac":       "flac",
	"pcm":        "pcm_s16le",
	"none":       "",
}

func knownEncoder(name string) bool { return slices.Contains(Encoders, name) }

func hardwareEncoder(name string) bool {
	return strings.HasSuffix(name, "_nvenc") || strings.HasSuffix(name, "_qsv") || strings.HasSuffix(name, "_vaapi")
}

// resolveEncoder returns the ffmpeg encoder for a codec, or for an encoder's own name, with the
// given hardware acceleration. The error is Invalid and names the parameter.
func resolveEncoder(codec, hwaccel string) (string, error) {
	hardware := !slices.Contains([]string{"", "none", "auto"}, hwaccel)
	family, known := hardwareFamilies[hwaccel]
	if hardware && !known {
		return "", FieldErrorf("parameters.hwaccel", "unknown value %q; use none, auto, cuda, nvenc, qsv or vaapi",
			hwaccel)
	}
	if knownEncoder(codec) {
		return codec, nil
	}
	software, ok := softwareEncoders[codec]
	if !ok {
		return "", FieldErrorf("parameters.codec", "unknown value %q; use h264, h265, hevc, vp9, av1 or one of %s",
			codec, strings.Join(Encoders, ", "))
	}
	if !hardware {
		return software, nil
	}
	if codec == "h265" {
		codec = "hevc"
	}
	if !slices.Contains(family.codecs, codec) {
		return "", FieldErrorf("parameters.hwaccel", "%s has no encoder for %s", hwaccel, codec)
	}
	return codec + family.suffix, nil
}

var x26xPresets = []string{
	"ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
}

// presets lists the valid values of the preset parameter for an encoder; none if the encoder
// has no presets.
func presets(encoder string) []string {
	switch {
	case encoder == "libx264" || encoder == "libx265":
		return x26xPresets
	case encoder == "libsvtav1":
		return []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13"}
	case strings.HasSuffix(encoder, "_nvenc"):
		return []string{"p1", "p2", "p3", "p4", "p5", "p6", "p7", "slow", "medium", "fast"}
	case strings.HasSuffix(encoder, "_qsv"):
		return x26xPresets[2:9]
	}
	return nil
}
