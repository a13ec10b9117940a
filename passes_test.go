package ffrtmp

import (
	"strings"
	"testing"
)

// two_pass needs a bit rate, an encoder that has it, and a file at both ends.
func TestResolve_TwoPass(t *testing.T) {
	for _, c := range []struct{ scenario, parameters, says string }{
		{"720p", `{"two_pass":true,"bitrate":"1M"}`, ""},
		{"720p-hevc", `{"two_pass":true,"bitrate":"1M","maxrate":"2M"}`, ""},
		{"720p-vp9", `{"two_pass":true,"bitrate":"1M","start":1,"end":2,"output_mode":"null"}`, ""},
		{"720p", `{"two_pass":true,"bitrate":"1M","codec":"libaom-av1"}`, ""},
		{"720p", `{"two_pass":false}`, ""},
		{"720p", `{"two_pass":null,"crf":20}`, ""},
		{"remux", `{"two_pass":false,"input":"a.mkv"}`, ""},
		{"720p", `{"two_pass":true}`, "parameters.two_pass: requires bitrate"},
		{"720p", `{"two_pass":true,"crf":20}`, "parameters.two_pass: excludes crf; set bitrate"},
		{
			"720p-av1", `{"two_pass":true,"bitrate":"1M"}`,
			"parameters.two_pass: libsvtav1 has none; use codec libx264, libx265, libvpx-vp9 or libaom-av1",
		},
		{"720p", `{"two_pass":true,"bitrate":"1M","hwaccel":"nvenc"}`, "parameters.two_pass: h264_nvenc has none"},
		{"720p", `{"two_pass":true,"bitrate":"1M","rtmp_url":"rtmp://h/a/b"}`, "a stream is encoded once"},
		{"720p", `{"two_pass":true,"bitrate":"1M","input":"rtmp://h/a/b"}`, "can be read only once"},
		{"720p", `{"two_pass":1,"bitrate":"1M"}`, "parameters.two_pass: "},
		{"720p", `{"two_pass":"yes","bitrate":"1M"}`, "parameters.two_pass: "},
		{"remux", `{"two_pass":true,"input":"a.mkv"}`, "does not apply to scenario remux"},
		{"audio-aac", `{"two_pass":true}`, "does not apply to scenario audio-aac"},
	} {
		e, err := resolve(t, c.scenario, c.parameters)
		if c.says == "" && (err != nil || e.TwoPass != strings.Contains(c.parameters, "true")) {
			t.Errorf("%s: got %v, %v, want it accepted", c.parameters, e.TwoPass, err)
		}
		if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: got %v, want %s", c.parameters, err, c.says)
		}
	}
}
