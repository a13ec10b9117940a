package ffrtmp

import "testing"

// What a v2.2 agent uploads shows no secret of its job.
func TestRedactor(t *testing.T) {
	for _, tt := range []struct{ parameters, text, want string }{
		{
			`{"rtmp_url":"rtmp://h/live","stream_key":"k1"}`, "Output #0, flv, to 'rtmp://h/live/k1':",
			"Output #0, flv, to 'rtmp://h/live/REDACTED':",
		},
		{
			`{"rtmp_url":"rtmp://h/live/sekret"}`, "to 'rtmp://h/live/sekret', playpath sekret",
			"to 'rtmp://h/live/REDACTED', playpath REDACTED",
		},
		{`{"rtmp_url":"rtmp://h/live/a"}`, "to rtmp://h/live/a: a file", "to rtmp://h/live/REDACTED: a file"},
		{
			`{"rtmp_url":"rtmp://u:pass@h/live?token=t&x=y"}`, `{"command":"rtmp://u:pass@h/live?token=t\u0026x=y"}`,
			`{"command":"rtmp://REDACTED@h/live?REDACTED"}`,
		},
		{
			`{"input":"https://u:pass@h/in.mp4?sig=abc"}`, "Input #0 from https://h/in.mp4?sig=abc (pass)",
			"Input #0 from https://h/in.mp4?REDACTED (REDACTED)",
		},
		{`{"input":"in.mp4","stream_key":""}`, "in.mp4", "in.mp4"},
		{``, "text", "text"},
		{`{"stream_key":7}`, "7", "7"},
	} {
		if got := NewRedactor([]byte(tt.parameters)).Text(tt.text); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.parameters, got, tt.want)
		}
	}
}

// A result is redacted in all its parts.
func TestRedactor_Result(t *testing.T) {
	r := Result{
		Logs: "key1", Error: "key1", Metrics: []byte(`{"a":"key1"}`), AnalyzerOutput: []byte(`{"b":"key1"}`),
	}
	NewRedactor([]byte(`{"stream_key":"key1"}`)).Result(&r)
	if r.Logs != Redacted || r.Error != Redacted || string(r.Metrics) != `{"a":"REDACTED"}` ||
		string(r.AnalyzerOutput) != `{"b":"REDACTED"}` {
		t.Errorf("got %+v, want no key", r)
	}
}
