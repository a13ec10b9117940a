package ffrtmp

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// currentAgent returns why v2.2 nodes do not get a job.
func currentAgent(t *testing.T, scenario, parameters string) string {
	t.Helper()
	s := Spec{Scenario: scenario, Parameters: json.RawMessage(parameters)}
	if err := s.Validate(); err != nil {
		t.Fatalf("%s %s: %v", scenario, parameters, err)
	}
	filled, err := LegacyParameters(scenario, s.Parameters)
	if (err == nil) != (s.Requires.CurrentAgent == "") {
		t.Fatalf("%s %s: got parameters %s, %v, want them to agree with %q", scenario, parameters, filled, err,
			s.Requires.CurrentAgent)
	}
	return s.Requires.CurrentAgent
}

// v2.2 nodes get no job with a parameter that is not on the list.
func TestLegacy_EveryParameter(t *testing.T) {
	understood := strings.Fields(`duration duration_seconds bitrate codec preset hwaccel resolution resolution_width
		resolution_height fps frame_rate output overwrite output_mode rtmp_url stream_key audio_codec engine
		resource_limits`)
	fields := reflect.TypeFor[Parameters]()
	for i := range fields.NumField() {
		name := fields.Field(i).Tag.Get("json")
		var p Parameters
		v := reflect.ValueOf(&p).Elem().Field(i)
		setNonZero(v)
		if v.IsZero() {
			t.Fatalf("%s: got no value for a %s", name, v.Type())
		}
		want := name
		if slices.Contains(understood, name) {
			want = ""
		}
		if got := beyondLegacy(p); got != want {
			t.Errorf("%s: got %q as ignored by a v2.2 agent, want %q", name, got, want)
		}
	}
}

func setNonZero(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Struct:
		setNonZero(v.Field(0))
	case reflect.Interface:
		v.Set(reflect.ValueOf("x"))
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Float64:
		v.SetFloat(1)
	}
}

// v2.2 nodes get the jobs that their agent can do, and explain says why they do not get another.
func TestLegacy_Jobs(t *testing.T) {
	for _, size := range []string{"4K", "2160p", "1440p", "1080p", "720p", "480p", "360p"} {
		for _, codec := range []string{"", "-h264", "-h265", "-hevc", "-vp9", "-av1"} {
			for _, scenario := range []string{size + codec, "live-" + size + "50" + codec} {
				if got := currentAgent(t, scenario, ""); got != "" {
					t.Errorf("%s: got %q, want v2.2 nodes to get it", scenario, got)
				}
			}
		}
	}
	for name := range soundScenarios {
		if got := currentAgent(t, name, `{"input":"a.mkv"}`); got == "" {
			t.Errorf("%s: v2.2 nodes get it", name)
		}
	}
	for _, c := range []struct{ parameters, reason string }{
		{`{"duration":120,"bitrate":"10M","engine":"auto","preset":"slow","hwaccel":"none"}`, ""},
		{`{"duration":121}`, "at most 120 seconds"},
		{`{"duration":2.5}`, "duration"},
		{`{"fps":29.97}`, "frame rate"},
		{`{"frame_rate":25,"resolution_width":640,"resolution_height":480,"duration_seconds":3}`, ""},
		{`{"input":""}`, ""},
		{`{"input":"in.mp4"}`, "scale"},
		{`{"input":"https://host/in.mp4"}`, "scale"},
		{`{"output":"out.mp4"}`, "overwrites"},
		{`{"output":"out.mp4","overwrite":true}`, ""},
		{`{"output_mode":"null"}`, "file"},
		{`{"threads":2}`, "parameters.threads"},
		{`{"fit":"pad"}`, "parameters.fit"},
		{`{"hang_timeout_sec":60}`, "parameters.hang_timeout_sec"},
		{`{"resource_limits":{"timeout_sec":60,"max_cpu_percent":50,"max_memory_mb":100}}`, ""},
		{`{"resource_limits":{"max_disk_mb":1}}`, "resource_limits.max_disk_mb"},
		{`{"audio_codec":"aac"}`, "sound"},
		{`{"audio_codec":"none"}`, ""},
		{`{"audio_bitrate":"96k"}`, "parameters.audio_bitrate"},
		{`{"codec":"libaom-av1"}`, "libaom-av1"},
		{`{"codec":"hevc","hwaccel":"nvenc"}`, ""},
		{`{"codec":"hevc","hwaccel":"vaapi"}`, "hevc_vaapi"},
		{`{"rtmp_url":"rtmp://host/live","stream_key":"k","duration":7200}`, ""},
		{`{"rtmp_url":"rtmp://host/live/k","audio_codec":"mp3"}`, "AAC"},
	} {
		got := currentAgent(t, "720p", c.parameters)
		if (got == "") != (c.reason == "") || !strings.Contains(got, c.reason) {
			t.Errorf("%s: got %q, want a reason with %q", c.parameters, got, c.reason)
		}
		old, current := &Node{Legacy: true}, &Node{}
		old.HasGPU, current.HasGPU, current.Encoders = true, true, Encoders
		s := Spec{Scenario: "720p", Parameters: json.RawMessage(c.parameters)}
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		if unmet := s.Requires.Unmet(old); unmet != got {
			t.Errorf("%s: got %q for a v2.2 node, want %q", c.parameters, unmet, got)
		}
		if unmet := s.Requires.Unmet(current); unmet != "" {
			t.Errorf("%s: got %q for a newer node, want none", c.parameters, unmet)
		}
	}
}

// A client cannot say that v2.2 nodes get a job.
func TestLegacy_NotFromTheClient(t *testing.T) {
	s := Spec{Scenario: "remux", Parameters: json.RawMessage(`{"input":"a.mkv"}`), Requires: &Requires{}}
	if err := s.Validate(); err != nil || s.Requires.CurrentAgent == "" {
		t.Errorf("got %+v, %v, want v2.2 nodes excluded", s.Requires, err)
	}
	s = Spec{Scenario: "720p", Requires: &Requires{CurrentAgent: "x"}}
	if err := s.Validate(); err != nil || s.Requires.CurrentAgent != "" {
		t.Errorf("got %+v, %v, want v2.2 nodes included", s.Requires, err)
	}
}

// v2.2's CLI always sends a queue, so a live scenario goes to the live queue. Whoever else names a queue chose it.
func TestLegacy_LiveQueue(t *testing.T) {
	for _, c := range []struct {
		spec string
		want Queue
	}{
		{`{"scenario":"live-720p","confidence":"auto","engine":"auto","queue":"default","priority":"medium",
			"parameters":{"engine":"auto"}}`, Live},
		{`{"scenario":"live-720p","queue":"batch","parameters":{"engine":"auto"}}`, Batch},
		{`{"scenario":"720p","queue":"default","parameters":{"engine":"auto"}}`, Default},
		{`{"scenario":"live-720p","queue":"default"}`, Default},
		{`{"scenario":"live-720p"}`, Live},
	} {
		var s Spec
		if err := json.Unmarshal([]byte(c.spec), &s); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(); err != nil || s.Queue != c.want {
			t.Errorf("%s: got queue %s, %v, want %s", c.spec, s.Queue, err, c.want)
		}
	}
}
