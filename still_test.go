package ffrtmp

import (
	"strings"
	"testing"
)

// A picture as input has a duration; picture goes with sound.
func TestResolve_Still(t *testing.T) {
	for _, c := range []struct{ scenario, parameters, says string }{
		{"720p", `{"input":"a.png","duration":5}`, ""},
		{"720p", `{"input":"a.JPG","end":5}`, ""},
		{"720p30", `{"input":"a.webp","duration":5,"rtmp_url":"rtmp://h/a"}`, ""},
		{"720p", `{"input":"song.mp3","picture":"a.bmp"}`, ""},
		{"720p", `{"input":"http://h/song.mp3","picture":"a.png","duration":3}`, ""},
		{"720p", `{"input":"a.png"}`, "parameters.duration: is required for an input that is a picture"},
		{"720p", `{"input":"a%04d.png","duration":5}`, "numbered sequence"},
		{"720p", `{"input":"a.png","duration":5,"start":1}`, "a picture has no beginning"},
		{"720p", `{"input":"a.png","duration":5,"audio":[{}]}`, "a picture has no sound"},
		{"720p", `{"input":"a.png","duration":5,"subtitles":[{}]}`, "a picture has no subtitles"},
		{"720p", `{"input":"a.png","duration":5,"picture":"b.png"}`, "excludes an input that is a picture"},
		{"720p", `{"input":"a.png","duration":5,"two_pass":true,"bitrate":"1M"}`, "two_pass: does not apply"},
		{"720p", `{"input":"a.png","duration":5,"deinterlace":"on"}`, "deinterlace: does not apply"},
		{"720p-hevc", `{"input":"a.png","duration":5,"hdr":"keep"}`, "hdr: does not apply"},
		{"720p", `{"picture":"a.png"}`, "picture: requires an input"},
		{"720p", `{"input":"song.mp3","picture":"a.mp4"}`, "must end in .png"},
		{"720p", `{"input":"song.mp3","picture":"http://h/a.png"}`, "must be a path"},
		{"720p", `{"input":"a.mkv","picture":"a.png","subtitles":[{"mode":"burn"}]}`, "cannot be burnt into a picture"},
		{"audio-aac", `{"input":"a.png"}`, "input: does not apply to scenario audio-aac"},
		{"remux", `{"input":"a.png","duration":5}`, "input: does not apply to scenario remux"},
		{"remux", `{"input":"a.mkv","picture":"a.png"}`, "picture: does not apply to scenario remux"},
	} {
		e, err := resolve(t, c.scenario, c.parameters)
		wrong := e.Still == (e.Picture != "") || e.FPS != 30 || e.Still && e.AudioEncoder != ""
		if c.says == "" && (err != nil || wrong) {
			t.Errorf("%s: got %+v, %v, want it accepted at 30 frames a second", c.parameters, e, err)
		}
		if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: got %v, want %s", c.parameters, err, c.says)
		}
	}
}
