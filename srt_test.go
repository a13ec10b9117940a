package ffrtmp

import (
	"strings"
	"testing"
)

// SRT and RTSP inputs have a host, options that are known, and no beginning.
func TestResolve_LiveInput(t *testing.T) {
	for _, c := range []struct{ scenario, parameters, says string }{
		{"720p", `{"input":"srt://h:9000"}`, ""},
		{
			"720p", `{"input":"SRT://[::1]:9000?mode=caller&streamid=%23%21::r=a,m=request&passphrase=0123456789` +
				`&pbkeylen=32&latency=200"}`, "",
		},
		{"720p", `{"input":"srt://h"}`, "must be srt://host:port"},
		{"720p", `{"input":"srt://h:9000/path"}`, "must be srt://host:port"},
		{"720p", `{"input":"srt://user@h:9000"}`, "must be srt://host:port"},
		{"720p", `{"input":"srt://h:9000?mode=listener"}`, "mode must be caller"},
		{"720p", `{"input":"srt://h:9000?passphrase=short"}`, "passphrase must have 10 to 79"},
		{"720p", `{"input":"srt://h:9000?passphrase=0123456789%0a"}`, "passphrase must have 10 to 79"},
		{"720p", `{"input":"srt://h:9000?pbkeylen=8"}`, "pbkeylen must be 16, 24 or 32"},
		{"720p", `{"input":"srt://h:9000?latency=200000"}`, "between 20 and 8000 milliseconds"},
		{"720p", `{"input":"srt://h:9000?streamid=a%0ab"}`, "streamid must be one line"},
		{"720p", `{"input":"srt://h:9000?tsbpd=0"}`, `unknown SRT option "tsbpd"`},
		{"720p", `{"input":"rtsp://user:pa%40ss@h/cam?a=b"}`, ""},
		{"720p", `{"input":"rtsps://h:322/cam","duration":5}`, ""},
		{"720p", `{"input":"rtsp:///cam"}`, "must be rtsp://host/path"},
		{"720p", `{"input":"rtsp://h/a b"}`, "must be rtsp://host/path"},
		{"720p", `{"input":"rtsp://h/cam","start":5}`, "a live input begins when the job does"},
		{"720p", `{"input":"srt://h:9000","two_pass":true,"bitrate":"1M"}`, "two_pass"},
		{"720p", `{"input":"srt://h:9000","subtitles":[{}]}`, "a live input has no subtitles"},
		{"720p", `{"input":"rist://h:9000"}`, "rtmps, srt, rtsp or rtsps"},
		{"720p", `{"input":"srt://h:9000","rtmp_url":"rtmp://h/a","reconnect":"forever"}`, ""},
		{"remux", `{"input":"srt://h:9000","audio":[{"language":"eng"}],"output":"a.ts"}`, ""},
	} {
		e, err := resolve(t, c.scenario, c.parameters)
		if c.says == "" && (err != nil || !LiveInput(e.Input)) {
			t.Errorf("%s: got %v, want a live input", c.parameters, err)
		}
		if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: got %v, want %s", c.parameters, err, c.says)
		}
		if err != nil && strings.Contains(err.Error(), "0123456789") {
			t.Errorf("%s: got the passphrase in %v", c.parameters, err)
		}
	}
}

// Passwords, passphrases, stream ids and keys are shown to nobody, in whatever case the scheme is written.
func TestRedact_LiveInput(t *testing.T) {
	for _, c := range []struct{ input, secret string }{
		{"srt://h:9000?streamid=camera1&passphrase=hunter2hunter2", "hunter2hunter2"},
		{"srt://h:9000?streamid=camera1&passphrase=hunter2hunter2", "camera1"},
		{"srt://h:9000?passphrase=hunter2%20hunter2", "hunter2 hunter2"},
		{"rtsp://user:hunter2@h/cam", "hunter2"},
		{"rtsp://user:hunt%40er2@h/cam", "hunt@er2"},
		{"rtsp://h/cam?token=hunter2", "token=hunter2"},
		{"RTMP://h/app/hunter2", "hunter2"},
	} {
		raw := []byte(`{"input":"` + c.input + `"}`)
		if got := string(RedactParameters(raw)); strings.Contains(got, c.secret) || strings.Contains(got, "hunt") {
			t.Errorf("%s: got %s, want no secret", c.input, got)
		}
		log := "Input #0 from '" + c.input + "': " + c.secret + " refused"
		if got := NewRedactor(raw).Text(log); strings.Contains(got, c.secret) {
			t.Errorf("%s: got %s, want no %s", c.input, got, c.secret)
		}
	}
}
