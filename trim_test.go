package ffrtmp

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// start and end are numbers of seconds or times of day, to the microsecond.
func TestResolve_Trim(t *testing.T) {
	for _, c := range []struct {
		parameters      string
		start, duration float64
	}{
		{`{"start":0}`, 0, 10},
		{`{"start":null,"end":null}`, 0, 10},
		{`{"start":2.5,"end":4}`, 2.5, 1.5},
		{`{"start":1e1,"end":"00:00:12.25"}`, 10, 2.25},
		{`{"start":"00:01:30.500","duration":5}`, 90.5, 5},
		{`{"start":"1:02","input":"a.mkv"}`, 62, 0},
		{`{"start":"90","end":"90.001"}`, 90, 0.001},
		{`{"start":7.3,"end":2592000}`, 7.3, 2591992.7},
		{`{"start":2.1,"end":7.3}`, 2.1, 5.2},
		{`{"start":1e-9,"end":"720:00:00"}`, 0, 2592000},
	} {
		e, err := resolve(t, "720p", c.parameters)
		if err != nil || e.Start != c.start || e.Duration != c.duration {
			t.Errorf("%s: got start %v, duration %v, %v, want %v, %v", c.parameters, e.Start, e.Duration, err, c.start,
				c.duration)
		}
	}
}

// Any other start and end is refused by the field's name, with what is allowed.
func TestResolve_TrimRefused(t *testing.T) {
	const form = "is not seconds or HH:MM:SS.mmm"
	for _, c := range []struct{ scenario, parameters, field, says string }{
		{"720p", `{"start":-1}`, "start", "between 0 and 2592000"},
		{"720p", `{"start":2592001}`, "start", "between 0 and 2592000"},
		{"720p", `{"start":1e300}`, "start", "between 0 and 2592000"},
		{"720p", `{"start":1e999}`, "start", "must be a number"},
		{"720p", `{"start":true}`, "start", "must be a number"},
		{"720p", `{"start":[1]}`, "start", "must be a number"},
		{"720p", `{"start":"-1"}`, "start", form},
		{"720p", `{"start":""}`, "start", form},
		{"720p", `{"start":"NaN"}`, "start", form},
		{"720p", `{"start":"1e1"}`, "start", form},
		{"720p", `{"start":"0x10"}`, "start", form},
		{"720p", `{"start":"1:60"}`, "start", form},
		{"720p", `{"start":"60:00:00:00"}`, "start", form},
		{"720p", `{"start":"00:00:01,5"}`, "start", form},
		{"720p", `{"start":" 1"}`, "start", form},
		{"720p", `{"start":"١"}`, "start", form},
		{"720p", `{"start":"１:００"}`, "start", form},
		{"720p", `{"start":"9999999"}`, "start", "between 0 and 2592000"},
		{"720p", `{"end":0}`, "end", "after start (0 s), not 0 s"},
		{"720p", `{"start":5,"end":5}`, "end", "after start (5 s), not 5 s"},
		{"720p", `{"start":"0:06","end":"5.5"}`, "end", "after start (6 s), not 5.5 s"},
		{"720p", `{"end":5,"duration":5}`, "end", "excludes duration"},
		{"720p", `{"end":5,"duration_seconds":5}`, "end", "excludes duration"},
		{"720p", `{"input":"RTMP://h/a/b","start":5}`, "start", "set duration"},
		{"720p", `{"input":"rtmps://h/a/b","end":5}`, "start", "set duration"},
		{"remux", `{"input":"a.mkv","start":0}`, "start", "does not apply to scenario remux"},
	} {
		_, err := resolve(t, c.scenario, c.parameters)
		var refused *Error
		if !errors.As(err, &refused) || !strings.HasPrefix(err.Error(), "parameters."+c.field+":") ||
			!strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want parameters.%s: %s", c.parameters, err, c.field, c.says)
		}
	}
}

// A v2.2 agent begins at the beginning.
func TestLegacy_Trim(t *testing.T) {
	for _, given := range []string{`{"start":1}`, `{"end":"2"}`} {
		if _, err := LegacyParameters("720p", json.RawMessage(given)); err == nil {
			t.Errorf("%s: got it accepted, want a reason", given)
		}
	}
}
