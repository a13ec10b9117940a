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
		{"720p", file + `"subtitles":[{},{"mode":"show"}]`, "parameters.subtitles[1].mode: unknown value"},
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

// A track is extracted into a file that its choice names, which nothing else is.
func TestResolve_ExtractedSubtitles(t *testing.T) {
	const file = `"input":"a.mkv",`
	for _, c := range []struct{ scenario, parameters, want string }{
		{"720p", file + `"subtitles":[{"mode":"extract"},{"mode":"extract","format":"vtt"}]`, ""},
		{"720p", file + `"output":"a.ts","subtitles":[{"mode":"extract","language":"eng"},{"mode":"burn"}]`, ""},
		{"remux", file + `"subtitles":[{"mode":"extract","index":2,"format":"ass","optional":true}]`, ""},
		{"720p", file + `"subtitles":[{"mode":"extract","all":true}]`, "parameters.subtitles[0].all: each extracted"},
		{
			"720p", file + `"subtitles":[{"mode":"extract","language":"ENG"},{"mode":"extract","language":"eng"}]`,
			"parameters.subtitles[1]: would be extracted to the same file as subtitles[0]",
		},
		{
			"720p", file + `"subtitles":[{"mode":"extract","format":"mov_text"}]`,
			"parameters.subtitles[0].format: mov_text is no file of its own; use srt, vtt or ass",
		},
		{
			"720p", file + `"subtitles":[{"mode":"extract","format":"sub"}]`,
			`parameters.subtitles[0].format: unknown value "sub"; use srt, vtt or ass`,
		},
		{
			"720p", file + `"output_mode":"null","subtitles":[{"mode":"extract"}]`,
			"parameters.subtitles[0].mode: extract writes a file beside the output",
		},
		{
			"720p", file + `"subtitles":[{"mode":"extract","title":"a"}]`,
			"parameters.subtitles[0].title: does not apply to mode extract",
		},
		{
			"720p", file + `"subtitles":[{"mode":"extract","forced":true}]`,
			"parameters.subtitles[0].forced: does not apply to mode extract",
		},
	} {
		_, err := resolve(t, c.scenario, `{`+c.parameters+`}`)
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s %s: got %v, want %s", c.scenario, c.parameters, err, c.want)
		}
	}
	three := 3
	for want, track := range map[string]SubtitleTrack{
		"out/film.eng.srt": {Language: "Eng"},
		"out/film.3.vtt":   {Index: &three, Format: "vtt"},
		"out/film.ass":     {Format: "ass"},
	} {
		if got := track.SidecarName("out/film.mp4"); got != want {
			t.Errorf("%+v: got %s, want %s", track, got, want)
		}
	}
}

// A v2.2 node is not handed a job that lists subtitles.
func TestLegacy_Subtitles(t *testing.T) {
	if name := beyondLegacy(Parameters{Subtitles: []SubtitleTrack{{}}}); name != "subtitles" {
		t.Errorf("got %q, want that it ignores subtitles", name)
	}
}
