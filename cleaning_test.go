package ffrtmp

import (
	"strings"
	"testing"
)

// deinterlace and denoise are words, for an input.
func TestResolve_Cleaning(t *testing.T) {
	for _, c := range []struct{ scenario, parameters, deinterlace, denoise, says string }{
		{"720p", `{"deinterlace":"auto","denoise":"off"}`, "", "", ""},
		{"720p", `{"input":"a.mkv","deinterlace":"on","denoise":"strong"}`, "on", "strong", ""},
		{"720p", `{"input":"a.mkv","deinterlace":"off"}`, "off", "", ""},
		{"720p", `{"deinterlace":"on"}`, "", "", "parameters.deinterlace: requires input"},
		{"720p", `{"denoise":"light"}`, "", "", "parameters.denoise: requires input"},
		{"720p", `{"input":"a.mkv","deinterlace":"On"}`, "", "", "use auto, on or off"},
		{"720p", `{"input":"a.mkv","deinterlace":true}`, "", "", "parameters.deinterlace: "},
		{"720p", `{"input":"a.mkv","denoise":"light,crop=1:1"}`, "", "", "use off, light, medium or strong"},
		{"remux", `{"input":"a.mkv","deinterlace":"on"}`, "", "", "does not apply to scenario remux"},
		{"audio-aac", `{"input":"a.mkv","denoise":"light"}`, "", "", "does not apply to scenario audio-aac"},
	} {
		e, err := resolve(t, c.scenario, c.parameters)
		if c.says == "" && (err != nil || e.Deinterlace != c.deinterlace || e.Denoise != c.denoise) {
			t.Errorf("%s: got %q, %q, %v, want %q, %q", c.parameters, e.Deinterlace, e.Denoise, err, c.deinterlace,
				c.denoise)
		}
		if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: got %v, want %s", c.parameters, err, c.says)
		}
	}
}
