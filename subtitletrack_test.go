package ffrtmp

import (
	"strings"
	"testing"
)

// What a list of subtitles cannot say is refused with the field's name.
func TestResolve_Subtitles(t *testing.T) {
	const file = `"input":"a.mkv",`
	for _, c := range []struct{ scenario, parameters, want string }{
		{"720p", file + `"subtitles":[]`, "parameters.subtitles: must have 1 to 16 tracks"},
		{"720p", file + `"subtitles":[{"lang":"eng"}]`, "parameters.subtitles[0].lang: unknown field"},
		{"720p", file + `"subtitles":[{},{"mode":"extract"}]`, "parameters.subtitles[1].mode: unknown value"},
		{"720p", file + `"subtitles":[{"index":-1}]`, "parameters.subtitles[0].index: must be between 0 and 99"},
		{
			"720p", file + `"subtitles":[{"all":true,"language":"eng"}]`,
			"parameters.subtitles[0].all: excludes language",
		},
		{"720p", file + `"subtitles":[{"format":"srt"}]`, "parameters.subtitles[0].format: requires mode convert"},
		{
			"720p", file + `"subtitles":[{"mode":"convert","format":"sub"}]`,
			"parameters.subtitles[0].format: unknown value",
		},
		{
			"720p", file + `"subtitles":[{"mode":"convert","format":"srt"}]`,
			"parameters.subtitles[0].format: a .mp4 output holds",
		},
		{
			"720p", file + `"output":"a.ts","subtitles":[{}]`,
			"parameters.subtitles[0].mode: a .ts output holds no subtitles",
		},
		{
			"720p", file + `"rtmp_url":"rtmp://h/a","subtitles":[{}]`,
			"parameters.subtitles[0]: an RTMP output has no subtitles",
		},
		{"720p", file + `"subtitles":[{"default":true},{"default":true}]`, "parameters.subtitles[1].default: only one"},
		{
			"720p", file + `"subtitles":[{"mode":"burn"},{"mode":"burn","index":1}]`,
			"parameters.subtitles[1].mode: only one",
		},
		{"720p", file + `"subtitles":[{"mode":"burn","all":true}]`, "parameters.subtitles[0].all: only one"},
		{
			"720p", file + `"subtitles":[{"mode":"burn","format":"srt"}]`,
			"parameters.subtitles[0].format: requires mode",
		},
		{"720p", file + `"subtitles":[{"mode":"burn","title":"a"}]`, "parameters.subtitles[0].title: does not apply"},
		{
			"720p", file + `"subtitles":[{"mode":"burn","default":true}]`,
			"parameters.subtitles[0].default: does not apply",
		},
		{
			"720p", file + `"subtitles":[{"mode":"burn","forced":true}]`,
			"parameters.subtitles[0].forced: does not apply",
		},
		{"720p", `"subtitles":[{}]`, "parameters.subtitles[0]: a test pattern or a live input has no subtitles"},
		{"audio-aac", file + `"subtitles":[{}]`, "parameters.subtitles: does not apply to scenario audio-aac"},
		{"remux", file + `"subtitles":[{"mode":"burn"}]`, "parameters.subtitles[0].mode: scenario remux"},
	} {
		_, err := resolve(t, c.scenario, `{`+c.parameters+`}`)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s %s: got %v, want %s", c.scenario, c.parameters, err, c.want)
		}
	}
}

// A v2.2 node is not handed a job that lists subtitles.
func TestLegacy_Subtitles(t *testing.T) {
	if name := beyondLegacy(Parameters{Subtitles: []SubtitleTrack{{}}}); name != "subtitles" {
		t.Errorf("got %q, want that it ignores subtitles", name)
	}
}
