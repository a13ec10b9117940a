package ffrtmp

import (
	"slices"
	"strconv"
	"strings"
)

// size is a nominal picture size in pixels, for an aspect ratio of 16:9.
type size struct{ width, height int }

var sizes = map[string]size{
	"4k":    {3840, 2160},
	"2160p": {3840, 2160},
	"1440p": {2560, 1440},
	"1080p": {1920, 1080},
	"720p":  {1280, 720},
	"480p":  {854, 480},
	"360p":  {640, 360},
}

const maxFPS = 240

// scenario is a parsed scenario name such as live-4K60-h264.
type scenario struct {
	live  bool
	size  size
	fps   float64 // 0: the source's
	codec string
	audio string // codec of a scenario without video
	remux bool
	name  string
}

// codecs are those that a scenario may name.
var codecs = []string{"h264", "h265", "hevc", "vp9", "av1"}

// soundScenarios are the scenarios that encode no video.
var soundScenarios = map[string]scenario{
	"audio-aac":  {audio: "aac", name: "audio-aac"},
	"audio-opus": {audio: "opus", name: "audio-opus"},
	"audio-mp3":  {audio: "mp3", name: "audio-mp3"},
	"audio-flac": {audio: "flac", name: "audio-flac"},
	"audio-pcm":  {audio: "pcm", name: "audio-pcm"},
	"remux":      {remux: true, name: "remux"},
}

func parseScenario(name string) (scenario, error) {
	if name == "" {
		return scenario{}, FieldErrorf("scenario", "is required, for example 1080p30-h264")
	}
	if s, ok := soundScenarios[strings.ToLower(name)]; ok {
		return s, nil
	}
	s, fps, ok := pictureScenario(strings.ToLower(name))
	if !ok {
		return scenario{}, FieldErrorf("scenario", "unknown value %q: use [live-]SIZE[FPS][-CODEC] with a size of "+
			"4K, 2160p, 1440p, 1080p, 720p, 480p or 360p and a codec of h264, h265, hevc, vp9 or av1; or audio-aac, "+
			"audio-opus, audio-mp3, audio-flac, audio-pcm or remux", name)
	}
	if fps != "" {
		n, err := strconv.Atoi(fps)
		if err != nil || n < 1 || n > maxFPS {
			return scenario{}, FieldErrorf("scenario", "%q: the frame rate must be between 1 and %d", name, maxFPS)
		}
		s.fps = float64(n)
	}
	return s, nil
}

// maxFPSDigits bounds the digits of a frame rate. More are no scenario at all.
const maxFPSDigits = 4

// pictureScenario parses [live-]SIZE[FPS][-CODEC] without a regular expression, because
// every submission calls it. The name is in lower case.
func pictureScenario(name string) (s scenario, fps string, ok bool) {
	name, s.live = strings.CutPrefix(name, "live-")
	name, s.codec, ok = strings.Cut(name, "-")
	switch {
	case !ok:
		s.codec = "h264"
	case !slices.Contains(codecs, s.codec):
		return s, "", false
	}
	// A size ends with its only letter.
	end := strings.IndexAny(name, "pk") + 1
	if s.size, ok = sizes[name[:end]]; !ok {
		return s, "", false
	}
	fps = name[end:]
	return s, fps, len(fps) <= maxFPSDigits && strings.Trim(fps, "0123456789") == ""
}
