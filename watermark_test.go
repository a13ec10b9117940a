package ffrtmp

import (
	"strings"
	"testing"
)

// A watermark has defaults, bounds, and an image that its name says is a picture.
func TestResolve_Watermark(t *testing.T) {
	for _, c := range []struct {
		scenario, parameters, says string
		want                       Mark
	}{
		{"720p", `{"watermark":{"image":"logo.png"}}`, "", Mark{"logo.png", "bottom-right", 2, 15, 100}},
		{
			"720p", `{"watermark":{"image":"a/L.JPEG","position":"center","margin":0,"width":12.3456,"opacity":1}}`, "",
			Mark{"a/L.JPEG", "center", 0, 12.346, 1},
		},
		{"720p", `{"watermark":null}`, "", Mark{}},
		{"720p", `{"watermark":{}}`, "parameters.watermark.image: is required", Mark{}},
		{"720p", `{"watermark":"logo.png"}`, "parameters.watermark", Mark{}},
		{"720p", `{"watermark":{"image":"logo.svg"}}`, "must end in .png, .jpg, .jpeg, .webp or .bmp", Mark{}},
		{"720p", `{"watermark":{"image":"http://h/logo.png"}}`, "must be a path, not a URL", Mark{}},
		{"720p", `{"watermark":{"image":"a\nb.png"}}`, "parameters.watermark.image: ", Mark{}},
		{"720p", `{"watermark":{"image":"l.png","position":"left"}}`, "use bottom-right, bottom-left", Mark{}},
		{"720p", `{"watermark":{"image":"l.png","margin":-1}}`, "margin: must be between 0 and 50 percent", Mark{}},
		{"720p", `{"watermark":{"image":"l.png","width":0.5}}`, "width: must be between 1 and 100 percent", Mark{}},
		{"720p", `{"watermark":{"image":"l.png","opacity":101}}`, "opacity: must be between 1 and 100 percent", Mark{}},
		{"720p", `{"watermark":{"image":"l.png","x":1}}`, "parameters.watermark.x", Mark{}},
		{"720p-hevc", `{"watermark":{"image":"l.png"},"hdr":"keep"}`, "requires hdr tonemap", Mark{}},
		{"remux", `{"input":"a.mkv","watermark":{"image":"l.png"}}`, "does not apply to scenario remux", Mark{}},
		{"audio-aac", `{"watermark":{"image":"l.png"}}`, "does not apply to scenario audio-aac", Mark{}},
	} {
		e, err := resolve(t, c.scenario, c.parameters)
		got := Mark{}
		if e.Watermark != nil {
			got = *e.Watermark
		}
		if c.says == "" && (err != nil || got != c.want) {
			t.Errorf("%s: got %+v, %v, want %+v", c.parameters, got, err, c.want)
		}
		if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: got %v, want %s", c.parameters, err, c.says)
		}
	}
}

// v2.2's agents would leave the watermark out, so they do not get the job.
func TestLegacyParameters_Watermark(t *testing.T) {
	_, err := LegacyParameters("720p", []byte(`{"watermark":{"image":"logo.png"}}`))
	if err == nil || !strings.Contains(err.Error(), "ignores parameters.watermark") {
		t.Errorf("got %v, want a refusal that names the watermark", err)
	}
}
