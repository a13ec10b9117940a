package ffrtmp

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ffrtmp/ffrtmp/internal/strictjson"
)

func resolve(t *testing.T, scenario, parameters string) (Encoding, error) {
	t.Helper()
	p, err := ParseParameters(json.RawMessage(parameters))
	if err != nil {
		return Encoding{}, err
	}
	return Resolve(scenario, p)
}

// A scenario resolves to its documented encoding.
func TestResolve_Scenario(t *testing.T) {
	pattern := Encoding{Mode: ToFile, Duration: patternSeconds, AudioEncoder: "aac"}
	tests := []struct {
		scenario, parameters string
		want                 func(*Encoding)
	}{
		{"4K60-h264", ``, func(e *Encoding) { e.Width, e.Height, e.FPS, e.Encoder = 3840, 2160, 60, "libx264" }},
		{"2160p", ``, func(e *Encoding) { e.Width, e.Height, e.Encoder = 3840, 2160, "libx264" }},
		{"1440p-vp9", ``, func(e *Encoding) { e.Width, e.Height, e.Encoder = 2560, 1440, "libvpx-vp9" }},
		{"1080p30-h265", ``, func(e *Encoding) { e.Width, e.Height, e.FPS, e.Encoder = 1920, 1080, 30, "libx265" }},
		{"720p-hevc", ``, func(e *Encoding) { e.Width, e.Height, e.Encoder = 1280, 720, "libx265" }},
		{"480p-av1", ``, func(e *Encoding) { e.Width, e.Height, e.Encoder = 854, 480, "libsvtav1" }},
		{
			"live-360p25", ``,
			func(e *Encoding) { e.Width, e.Height, e.FPS, e.Encoder, e.Live = 640, 360, 25, "libx264", true },
		},
		{"720p30", `{"duration":5,"bitrate":"10M"}`, func(e *Encoding) {
			e.Width, e.Height, e.FPS, e.Encoder, e.Duration, e.Bitrate = 1280, 720, 30, "libx264", 5, "10M"
		}},
		{
			"720p30",
			`{"duration_seconds":5,"frame_rate":24,"resolution_width":640,"resolution_height":480,"engine":"ffmpeg"}`,
			func(e *Encoding) {
				e.Width, e.Height, e.ExactSize, e.FPS, e.Encoder, e.Duration = 640, 480, true, 24, "libx264", 5
			},
		},
		{"720p", `{"input":"in.mkv"}`, func(e *Encoding) {
			e.Width, e.Height, e.Encoder, e.Input, e.Duration = 1280, 720, "libx264", "in.mkv", 0
		}},
		{"720p", `{"codec":"hevc","hwaccel":"cuda","preset":"p5"}`, func(e *Encoding) {
			e.Width, e.Height, e.Encoder, e.HWAccel, e.Preset = 1280, 720, "hevc_nvenc", "cuda", "p5"
		}},
		{"720p", `{"output_mode":"stream","rtmp_url":"rtmp://host/live/","stream_key":"k"}`, func(e *Encoding) {
			e.Width, e.Height, e.Encoder, e.Mode, e.URL = 1280, 720, "libx264", ToRTMP, "rtmp://host/live/k"
			e.Reconnect = defaultReconnect
		}},
		{"720p", `{"output":"a/b.webm","codec":"vp9"}`, func(e *Encoding) {
			e.Width, e.Height, e.Encoder, e.Output, e.AudioEncoder = 1280, 720, "libvpx-vp9", "a/b.webm", "libopus"
		}},
	}
	for _, tt := range tests {
		t.Run(tt.scenario+tt.parameters, func(t *testing.T) {
			want := pattern
			tt.want(&want)
			got, err := resolve(t, tt.scenario, tt.parameters)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Bad jobs name the field.
func TestSpec_Invalid(t *testing.T) {
	tests := []struct{ body, field string }{
		{`{}`, "scenario"},
		{`{"scenario":"banana"}`, "scenario"},
		{`{"scenario":"720p0"}`, "scenario"},
		{`{"scenario":"720p999"}`, "scenario"},
		{`{"scenario":7}`, "scenario"},
		{`{"scenario":"720p","engine":"gstreamer"}`, "engine"},
		{`{"scenario":"720p","queue":"vip"}`, "queue"},
		{`{"scenario":"720p","priority":"urgent"}`, "priority"},
		{`{"scenario":"720p","max_retries":-1}`, "max_retries"},
		{`{"scenario":"720p","max_retries":1e3}`, "max_retries"},
		{`{"scenario":"720p","max_retries":"3"}`, "max_retries"},
		{`{"scenario":"720p","labels":{"":"x"}}`, "labels"},
		{`{"scenario":"720p","labels":[]}`, "labels"},
		{`{"scenario":"720p","requires":{"encoder":"magic"}}`, "requires.encoder"},
		{`{"scenario":"720p","requires":{"gpus":true}}`, "requires.gpus"},
		{`{"scenario":"720p","requires":{"gpu":1}}`, "requires.gpu"},
		{`{"scenario":"720p","requires":[]}`, "requires"},
		{`{"scenario":"720p","requires":{"min_cpu_threads":-2}}`, "requires.min_cpu_threads"},
		{`{"scenario":"720p","parameters":[]}`, "parameters"},
		{`{"scenario":"720p","parameters":{"speed":9}}`, "parameters.speed"},
		{`{"scenario":"720p","parameters":{"Input":"a"}}`, "parameters.Input"},
		{`{"scenario":"720p","parameters":{"engine":"x"}}`, "parameters.engine"},
		{`{"scenario":"720p","parameters":{"duration":"5s"}}`, "parameters.duration"},
		{`{"scenario":"720p","parameters":{"duration":0}}`, "parameters.duration"},
		{`{"scenario":"720p","parameters":{"duration_seconds":-1}}`, "parameters.duration_seconds"},
		{`{"scenario":"720p","parameters":{"bitrate":"fast"}}`, "parameters.bitrate"},
		{`{"scenario":"720p","parameters":{"bitrate":5}}`, "parameters.bitrate"},
		{`{"scenario":"720p","parameters":{"codec":"mpeg1"}}`, "parameters.codec"},
		{`{"scenario":"720p","parameters":{"preset":"warp"}}`, "parameters.preset"},
		{`{"scenario":"720p","parameters":{"hwaccel":"abacus"}}`, "parameters.hwaccel"},
		{`{"scenario":"720p","parameters":{"codec":"libx264","hwaccel":"abacus"}}`, "parameters.hwaccel"},
		{`{"scenario":"720p-vp9","parameters":{"hwaccel":"cuda"}}`, "parameters.hwaccel"},
		{`{"scenario":"720p","parameters":{"resolution":"12"}}`, "parameters.resolution"},
		{`{"scenario":"720p","parameters":{"resolution":"1281x720"}}`, "parameters.resolution"},
		{`{"scenario":"720p","parameters":{"resolution_width":640}}`, "parameters.resolution_height"},
		{`{"scenario":"720p","parameters":{"fps":0}}`, "parameters.fps"},
		{`{"scenario":"720p","parameters":{"threads":-1}}`, "parameters.threads"},
		{`{"scenario":"720p","parameters":{"threads":1.5}}`, "parameters.threads"},
		{`{"scenario":"720p","parameters":{"audio_codec":"wav"}}`, "parameters.audio_codec"},
		{`{"scenario":"720p","parameters":{"input":"file:///etc/passwd"}}`, "parameters.input"},
		{`{"scenario":"720p","parameters":{"output":"rtmp://x/y"}}`, "parameters.output"},
		{`{"scenario":"720p","parameters":{"output":"run.sh"}}`, "parameters.output"},
		{`{"scenario":"720p","parameters":{"output_mode":"tape"}}`, "parameters.output_mode"},
		{`{"scenario":"720p","parameters":{"output_mode":"rtmp"}}`, "parameters.rtmp_url"},
		{`{"scenario":"720p","parameters":{"output_mode":"null","output":"a.mp4"}}`, "parameters.output"},
		{`{"scenario":"720p","parameters":{"output_mode":"file","stream_key":"k"}}`, "parameters.output_mode"},
		{`{"scenario":"720p-hevc","parameters":{"rtmp_url":"rtmp://h/a/b"}}`, "parameters.codec"},
		{
			`{"scenario":"720p","parameters":{"resource_limits":{"timeout_sec":-1}}}`,
			"parameters.resource_limits.timeout_sec",
		},
		{`{"scenario":"720p","parameters":{"resource_limits":{"nice":1}}}`, "parameters.resource_limits.nice"},
	}
	for _, tt := range tests {
		t.Run(tt.body, func(t *testing.T) {
			var s Spec
			err := decodeSpec([]byte(tt.body), &s)
			if err == nil {
				err = s.Validate()
			}
			var e *Error
			if !errors.As(err, &e) || e.Code != Invalid || e.Field != tt.field {
				t.Fatalf("got %v (field %q), want an error of field %q", err, fieldOf(e), tt.field)
			}
		})
	}
}

func fieldOf(e *Error) string {
	if e == nil {
		return ""
	}
	return e.Field
}

// Spec is completed.
func TestSpec_Defaults(t *testing.T) {
	s := Spec{Scenario: "live-720p", Parameters: json.RawMessage(`{ "fps": 25, "bitrate":"1M"}`)}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	want := Spec{
		Scenario: "live-720p", Engine: "auto", Queue: Live, Priority: Medium,
		Parameters: json.RawMessage(`{"fps":25,"bitrate":"1M"}`), Requires: &Requires{Encoder: "libx264"},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Secrets are redacted.
func TestRedactParameters(t *testing.T) {
	const canary = "s3cr3t"
	for _, raw := range []string{
		`{"rtmp_url":"rtmp://host/live","stream_key":"s3cr3t"}`,
		`{"rtmp_url":"rtmp://host/live/s3cr3t"}`,
		`{"rtmp_url":"rtmp://user:s3cr3t@host/live"}`,
		`{"rtmp_url":"rtmp://host/live?token=s3cr3t"}`,
		`{"input":"https://user:s3cr3t@host/film.mp4"}`,
		`{"input":"https://host/film.mp4?sig=s3cr3t"}`,
		`{"input":"rtmp://host/live/s3cr3t"}`,
	} {
		if shown := string(RedactParameters(json.RawMessage(raw))); strings.Contains(shown, canary) {
			t.Errorf("%s: got %s, want no secret", raw, shown)
		}
	}
	plain := `{"bitrate":"1M","input":"films/a.mp4"}`
	if shown := string(RedactParameters(json.RawMessage(plain))); shown != plain {
		t.Errorf("got %s, want %s", shown, plain)
	}
}

func FuzzParseParameters(f *testing.F) {
	f.Add(`{"input":"a","resource_limits":{"timeout_sec":1}}`)
	f.Add(`{"rtmp_url":"rtmp://h/a/b","stream_key":"k"}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, raw string) {
		s := Spec{Scenario: "720p", Parameters: json.RawMessage(raw)}
		if s.Validate() != nil {
			return
		}
		again := s
		if err := again.Validate(); err != nil {
			t.Fatalf("second validation: got %v, want none", err)
		}
		if diff := cmp.Diff(s, again); diff != "" {
			t.Fatalf("second validation changed the spec (-want +got):\n%s", diff)
		}
		RedactParameters(s.Parameters)
	})
}

// decodeSpec has the fields named as jsonbody names them, which this package cannot import.
func decodeSpec(data []byte, s *Spec) error {
	_, err := decodeStrict(data, "", strictjson.Fields[Spec](), s)
	return err
}

// Names of pictures are those of a regular expression that says what the form is.
func TestPictureScenario_Form(t *testing.T) {
	form := regexp.MustCompile(
		`^(?i)(live-)?(4K|2160p|1440p|1080p|720p|480p|360p)(\d{1,4})?(?:-(h264|h265|hevc|vp9|av1))?$`)
	parts := [][]string{
		{"", "live-", "LIVE-", "live", "-"},
		{"4k", "4K", "720p", "720P", "1080", "p", "k", "144p", ""},
		{"", "0", "30", "9999", "12345", "3x", "-30", "\u0663"},
		{"", "-h264", "-H264", "-", "-x264", "h264", "-h264-"},
	}
	for _, a := range parts[0] {
		for _, b := range parts[1] {
			for _, c := range parts[2] {
				for _, d := range parts[3] {
					name := a + b + c + d
					s, fps, ok := pictureScenario(strings.ToLower(name))
					m := form.FindStringSubmatch(name)
					if ok != (m != nil) {
						t.Errorf("%q: got accepted %v, want %v", name, ok, m != nil)
						continue
					}
					if ok && (s.live != (m[1] != "") || s.size != sizes[strings.ToLower(m[2])] || fps != m[3] ||
						m[4] != "" && s.codec != strings.ToLower(m[4])) {
						t.Errorf("%q: got %+v and %q frames a second, want the parts %q", name, s, fps, m[1:])
					}
				}
			}
		}
	}
}
