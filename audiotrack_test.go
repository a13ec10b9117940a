package ffrtmp

import (
	"strings"
	"testing"
)

// What a list of audio tracks cannot say is refused with the field's name.
func TestResolve_AudioTracks(t *testing.T) {
	const file = `"input":"a.mkv",`
	for _, c := range []struct{ scenario, parameters, want string }{
		{"720p", file + `"audio":[{},{"codec":"vorbis"}]`, "parameters.audio[1].codec: unknown value"},
		{"720p", file + `"audio":[{"codec":"none"}]`, "parameters.audio[0].codec: unknown value"},
		{
			"720p", file + `"audio":[{"codec":"flac"}],"output":"a.mov"`,
			"parameters.audio[0].codec: flac does not fit into .mov",
		},
		{
			"720p", file + `"audio":[]`,
			"parameters.audio: must have 1 to 16 tracks; for no sound, set audio_codec to none",
		},
		{"720p", file + `"audio":[` + strings.Repeat(`{},`, 16) + `{}]`, "parameters.audio: must have 1 to 16"},
		{"720p", file + `"audio":[{"lang":"eng"}]`, "parameters.audio[0].lang: unknown field"},
		{"720p", file + `"audio":[null]`, "parameters.audio[0]: must be an object"},
		{"720p", file + `"audio":[{},{"index":"1"}]`, "parameters.audio[1].index: must be an integer, not string"},
		{"720p", file + `"audio":{"index":1}`, "parameters.audio: must be an array"},
		{"720p", file + `"audio":[{"index":1.5}]`, "parameters.audio[0].index: must be an integer"},
		{"720p", file + `"audio":[{"index":100}]`, "parameters.audio[0].index: must be between 0 and 99"},
		{"720p", file + `"audio":[{"language":"english"}]`, "parameters.audio[0].language: "},
		{"720p", file + `"audio":[{"language":"eng","index":0}]`, "parameters.audio[0].index: excludes language"},
		{"720p", file + `"audio":[{"all":true,"index":0}]`, "parameters.audio[0].all: excludes index"},
		{"720p", file + `"audio":[{"all":true,"language":"eng"}]`, "parameters.audio[0].all: excludes language"},
		{"720p", file + `"audio":[{}],"audio_codec":"aac"`, "parameters.audio_codec: excludes audio"},
		{"720p", file + `"audio":[{}],"audio_bitrate":"128k"`, "parameters.audio_bitrate: excludes audio"},
		{"720p", file + `"audio":[{"bitrate":"7k"}]`, "parameters.audio[0].bitrate: must be between 8k and 1000k"},
		{"720p", file + `"audio":[{"bitrate":"fast"}]`, "parameters.audio[0].bitrate: "},
		{
			"720p", file + `"audio":[{"codec":"copy","bitrate":"64k"}]`,
			"parameters.audio[0].bitrate: does not apply to a copy",
		},
		{"720p", file + `"audio":[{"codec":"copy","channels":2}]`, "parameters.audio[0].channels: does not apply"},
		{
			"720p", file + `"audio":[{"codec":"flac","bitrate":"64k"}]`,
			"parameters.audio[0].bitrate: does not apply to flac",
		},
		{"720p", file + `"audio":[{"channels":3}]`, "parameters.audio[0].channels: must be 1, 2, 6 or 8"},
		{"720p", file + `"audio":[{"codec":"mp3","channels":6}]`, "parameters.audio[0].channels: must be at most 2"},
		{"720p", file + `"audio":[{"title":"a\nb"}]`, "parameters.audio[0].title: must be one line"},
		{"720p", file + `"audio":[{"default":true},{"default":true}]`, "parameters.audio[1].default: only one"},
		{"720p", file + `"audio":[{},{}],"output":"a.flv"`, "parameters.audio: a .flv output holds one audio track"},
		{"720p", file + `"audio":[{"all":true}],"output":"a.flv"`, "parameters.audio[0].all: a .flv output holds one"},
		{
			"720p", file + `"audio":[{},{}],"rtmp_url":"rtmp://h/a"`,
			"parameters.audio: an RTMP output holds one audio track",
		},
		{"720p", file + `"audio":[{"channels":6}],"rtmp_url":"rtmp://h/a"`, "parameters.audio[0].channels: must be 2"},
		{
			"720p", file + `"audio":[{"codec":"copy"}],"rtmp_url":"rtmp://h/a"`,
			"parameters.audio[0].codec: an RTMP output",
		},
		{
			"720p", file + `"audio":[{"codec":"opus"}],"rtmp_url":"rtmp://h/a"`,
			"parameters.audio[0].codec: opus does not fit",
		},
		{"720p", `"audio":[{"language":"eng"}]`, "parameters.audio[0].language: a test pattern"},
		{"720p", `"audio":[{"index":1}]`, "parameters.audio[0].index: must be 0"},
		{"720p", `"audio":[{"codec":"copy"}]`, "parameters.audio[0].codec: copy requires an input"},
		{"720p", `"input":"rtmp://h/a/b","audio":[{"language":"eng"}]`, "parameters.audio[0].language: "},
		{
			"audio-opus", file + `"audio":[{"codec":"aac"}]`,
			"parameters.audio[0].codec: contradicts scenario audio-opus",
		},
		{"audio-opus", file + `"audio":[{},{}]`, "parameters.audio: a .opus output holds one audio track"},
		{"remux", file + `"audio":[{"codec":"aac"}]`, "parameters.audio[0].codec: scenario remux copies audio"},
	} {
		_, err := resolve(t, c.scenario, `{`+c.parameters+`}`)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s %s: got %v, want %s", c.scenario, c.parameters, err, c.want)
		}
	}
}

// A v2.2 node is not handed a job that lists audio tracks.
func TestLegacy_AudioTracks(t *testing.T) {
	_, err := LegacyParameters("720p", []byte(`{"duration":1,"output_mode":"file","audio":[{"codec":"aac"}]}`))
	if err == nil || err.Error() != "a v2.2 agent ignores parameters.audio" {
		t.Errorf("got %v, want that it ignores audio", err)
	}
}
