package ffrtmp

import (
	"regexp"
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

var scenarioForm = regexp.MustCompile(
	`^(?i)(live-)?(4K|2160p|1440p|1080p|720p|480p|360p)(\d{1,4})?(?:-(h264|h265|hevc|vp9|av1))?$`)

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
	m := scenarioForm.FindStringSubmatch(name)
	if m == nil {
		return scenario{}, FieldErrorf("scenario", "unknown value %q: use [live-]SIZE[FPS][-CODEC] with a size of "+
			"4K, 2160p, 1440p, 1080p, 720p, 480p or 360p and a codec of h264, h265, hevc, vp9 or av1; or audio-aac, "+
			"audio-opus, audio-mp3, audio-flac, audio-pcm or remux", name)
	}
	s := scenario{live: m[1] != "", size: sizes[strings.ToLower(m[2])], codec: "h264"}
	if m[3] != "" {
		fps, err := strconv.Atoi(m[3])
		if err != nil || fps < 1 || fps > maxFPS {
			return scenario{}, FieldErrorf("scenario", "%q: the frame rate must be between 1 and %d", name, maxFPS)
		}
		s.fps = float64(fps)
	}
	if m[4] != "" {
		s.codec = strings.ToLower(m[4])
	}
	return s, nil
}
