package ffrtmp

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ffrtmp/ffrtmp/internal/strictjson"
)

// scenarioOfKind is one scenario of each kind, and the parameters that it requires.
var scenarioOfKind = map[string]struct{ name, parameters string }{
	KindVideo: {"720p", `{}`}, KindAudio: {"audio-aac", `{}`}, KindCopy: {"remux", `{"input":"a.mkv"}`},
}

// with returns parameters as JSON: those that the kind of scenario and the parameter require, and the parameter.
func with(t *testing.T, kind string, p *Parameter, value json.RawMessage) string {
	t.Helper()
	all := map[string]json.RawMessage{}
	for _, raw := range []string{scenarioOfKind[kind].parameters, string(p.With)} {
		if raw != "" {
			if err := json.Unmarshal([]byte(raw), &all); err != nil {
				t.Fatal(err)
			}
		}
	}
	all[p.Name] = value
	data, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The catalogue has every parameter, and no other.
func TestCatalogue_EveryParameter(t *testing.T) {
	var names []string
	for _, p := range NewCatalogue().Parameters {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	if diff := cmp.Diff(slices.Sorted(slices.Values(strictjson.Fields[Parameters]())), names); diff != "" {
		t.Errorf("parameters (-code +catalogue):\n%s", diff)
	}
}

// Each example is accepted by the kinds of scenarios that have the parameter, and by no other.
func TestCatalogue_Examples(t *testing.T) {
	for _, p := range NewCatalogue().Parameters {
		for kind, s := range scenarioOfKind {
			given := with(t, kind, &p, p.Example)
			_, err := resolve(t, s.name, given)
			if want := slices.Contains(p.Kinds, kind); (err == nil) != want {
				t.Errorf("%s %s: got %v, want accepted: %t", s.name, given, err, want)
			}
		}
	}
}

// The bounds and values of a parameter are those that a submission is checked against.
func TestCatalogue_Ranges(t *testing.T) {
	for _, p := range NewCatalogue().Parameters {
		check := func(value json.RawMessage, accepted bool) {
			given := with(t, p.Kinds[0], &p, value)
			if _, err := resolve(t, scenarioOfKind[p.Kinds[0]].name, given); (err == nil) != accepted {
				t.Errorf("%s: got %v, want accepted: %t", given, err, accepted)
			}
		}
		if p.Minimum != nil {
			check(json.RawMessage(number(*p.Minimum)), !p.Above)
			check(json.RawMessage(number(*p.Minimum-2)), false)
			check(json.RawMessage(number(*p.Maximum)), true)
			check(json.RawMessage(number(*p.Maximum+2)), false)
		}
		if p.Minimum == nil && p.Type == "string" && (p.Values != nil || p.Pattern != "" || p.Encoders != nil) {
			check(json.RawMessage(`"nosuch"`), p.Name == "engine") // which Spec.Validate checks
		}
	}
}

// Every value of an enumeration is accepted somewhere: with an encoder that has it.
func TestCatalogue_Values(t *testing.T) {
	extra := map[string]string{
		"libmp3lame": `"output":"a.mp4"`, "pcm": `"output":"a.mkv"`, "copy": `"input":"a.mkv"`,
		"rtmp": `"rtmp_url":"rtmp://h/a"`, "stream": `"rtmp_url":"rtmp://h/a"`, "keep": `"codec":"hevc"`,
		"forever": `"rtmp_url":"rtmp://h/a"`,
	}
	for _, p := range NewCatalogue().Parameters {
		for _, value := range p.Values {
			scenario, more := "720p", extra[value]
			if value == "copy" {
				scenario = "remux"
			}
			switch p.Name {
			case "pad_color":
				more = `"fit":"pad"`
			case "deinterlace", "denoise":
				more = `"input":"a.mkv"`
			}
			given := `{` + strings.TrimSuffix(strconv.Quote(p.Name)+":"+strconv.Quote(value)+","+more, ",") + `}`
			if _, err := resolve(t, scenario, given); err != nil {
				t.Errorf("%s: got %v, want it accepted", given, err)
			}
		}
	}
}

// Every scenario and every example of a form is one, of the size, rate and codecs that the catalogue says.
func TestCatalogue_Scenarios(t *testing.T) {
	for _, s := range NewCatalogue().Scenarios {
		given := scenarioOfKind[s.Kind].parameters
		e, err := resolve(t, s.Name, given)
		if err != nil || e.Width != s.Width || e.Height != s.Height || (s.Kind == KindAudio) != e.Audio() ||
			(s.Kind == KindCopy) != e.Copy {
			t.Errorf("%s: got %+v, %v, want %+v", s.Name, e, err, s)
		}
		if s.Form == "" {
			continue
		}
		for _, codec := range s.Codecs {
			for _, name := range []string{s.Example, "live-" + s.Name + strconv.Itoa(s.MaxFPS) + "-" + codec} {
				if _, err := resolve(t, name, given); err != nil {
					t.Errorf("%s: got %v, want it accepted", name, err)
				}
			}
		}
	}
}

// An encoder's names mean it, its presets are accepted, and each pair of container and codec is.
func TestCatalogue_EncodersPresetsPairs(t *testing.T) {
	c := NewCatalogue()
	codecOf, audioOf := map[string]string{}, map[string]string{} // values of codec and audio_codec by ffprobe's name
	for _, e := range c.Encoders {
		for _, word := range e.DefaultFor {
			if e.Kind == KindVideo {
				codecOf[e.Codec] = word
			} else {
				audioOf[e.Codec] = word
			}
		}
	}
	for _, p := range c.Presets {
		for _, preset := range p.Presets {
			if _, err := resolve(t, "720p", `{"codec":"`+p.Encoder+`","preset":"`+preset+`"}`); err != nil {
				t.Errorf("%s %s: got %v, want it accepted", p.Encoder, preset, err)
			}
		}
	}
	for _, pair := range c.Pairs {
		for _, audio := range pair.Audio {
			if len(pair.Video) == 0 {
				given := `{"output":"a` + pair.Extension + `"}`
				e, err := resolve(t, "audio-"+audioOf[audio], given)
				if err != nil || CodecOf(e.AudioEncoder) != audio {
					t.Errorf("%s: got %+v, %v, want %s", given, e, err, audio)
				}
			}
			for _, video := range pair.Video {
				given := `{"output":"a` + pair.Extension + `","codec":"` + codecOf[video] + `","audio_codec":"` +
					audioOf[audio] + `"}`
				e, err := resolve(t, "720p", given)
				if err != nil || CodecOf(e.Encoder) != video || CodecOf(e.AudioEncoder) != audio {
					t.Errorf("%s: got %+v, %v, want %s and %s", given, e, err, video, audio)
				}
			}
		}
	}
}
