package ffrtmp

import (
	"strings"
	"testing"
)

// reconnect is a number of lost connections or forever, and of streams alone.
func TestResolve_Reconnect(t *testing.T) {
	const stream = `{"rtmp_url":"rtmp://h/a/b"`
	const form = `parameters.reconnect: must be a whole number between 0 and 1000, or "forever"`
	for _, c := range []struct {
		parameters string
		want       int
		says       string
	}{
		{stream + `}`, 3, ""},
		{stream + `,"reconnect":null}`, 3, ""},
		{stream + `,"reconnect":0}`, 0, ""},
		{stream + `,"reconnect":1000}`, 1000, ""},
		{stream + `,"reconnect":"forever"}`, Forever, ""},
		{`{}`, 0, ""},
		{`{"reconnect":3}`, 0, "parameters.reconnect: requires output_mode rtmp"},
		{stream + `,"reconnect":-1}`, 0, form},
		{stream + `,"reconnect":1001}`, 0, form},
		{stream + `,"reconnect":1.5}`, 0, form},
		{stream + `,"reconnect":1e300}`, 0, form},
		{stream + `,"reconnect":"3"}`, 0, form},
		{stream + `,"reconnect":"Forever"}`, 0, form},
		{stream + `,"reconnect":""}`, 0, form},
		{stream + `,"reconnect":true}`, 0, form},
		{stream + `,"reconnect":[]}`, 0, form},
	} {
		e, err := resolve(t, "720p", c.parameters)
		if c.says == "" && (err != nil || e.Reconnect != c.want || e.Rejoin) {
			t.Errorf("%s: got %d, %v, want %d", c.parameters, e.Reconnect, err, c.want)
		}
		if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: got %v, want %s", c.parameters, err, c.says)
		}
	}
	for given, want := range map[string]bool{`"forever"`: true, `5`: true, `0`: false, `null`: false} {
		e, err := resolve(t, "720p", stream+`,"input":"RTMP://h/in/x","reconnect":`+given+`}`)
		if err != nil || e.Rejoin != want {
			t.Errorf("%s: got %t, %v, want a live input joined again: %t", given, e.Rejoin, err, want)
		}
	}
}
