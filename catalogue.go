package ffrtmp

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Catalogue is the response of GET /catalogue: what a job may ask for. It is made from the tables that submissions
// are checked against.
type Catalogue struct {
	Scenarios  []CatalogueScenario `json:"scenarios"`
	Parameters []Parameter         `json:"parameters"`
	Encoders   []CatalogueEncoder  `json:"encoders"`
	Presets    []CataloguePresets  `json:"presets"`
	Pairs      []CataloguePair     `json:"pairs"`
}

// Kinds of scenarios.
const (
	KindVideo = "video" // encodes video and audio
	KindAudio = "audio" // encodes audio only
	KindCopy  = "copy"  // encodes nothing
)

// CatalogueScenario is a scenario, or a size of scenarios with the form [live-]SIZE[FPS][-CODEC].
type CatalogueScenario struct {
	Name        string   `json:"name"` // a scenario
	Kind        string   `json:"kind"`
	Description string   `json:"description"`
	Form        string   `json:"form,omitempty"`    // of further names
	Example     string   `json:"example,omitempty"` // of the form
	Width       int      `json:"width,omitempty"`   // of a source of 16:9
	Height      int      `json:"height,omitempty"`
	MaxFPS      int      `json:"max_fps,omitempty"`
	Codecs      []string `json:"codecs"` // the default first; empty for a copy
}

// CatalogueEncoder is an encoder.
type CatalogueEncoder struct {
	Name       string   `json:"name"` // ffmpeg's
	Kind       string   `json:"kind"` // KindVideo or KindAudio
	Codec      string   `json:"codec"`
	Hardware   string   `json:"hardware,omitempty"` // nvenc, qsv or vaapi
	DefaultFor []string `json:"default_for"`        // values of codec or audio_codec that mean it
}

// CataloguePresets are the presets of an encoder.
type CataloguePresets struct {
	Encoder string   `json:"encoder"`
	Presets []string `json:"presets"`
}

// CataloguePair is a format of output files, and the codecs that it holds.
type CataloguePair struct {
	Extension string   `json:"extension"`
	Format    string   `json:"format"` // ffmpeg's name
	Video     []string `json:"video"`
	Audio     []string `json:"audio"` // the default first
	Subtitles []string `json:"subtitles"`
}

// NewCatalogue returns the catalogue of this build.
func NewCatalogue() Catalogue {
	return Catalogue{
		Scenarios: catalogueScenarios(), Parameters: slices.Clone(parameterTable), Encoders: catalogueEncoders(),
		Presets: cataloguePresets(), Pairs: cataloguePairs(),
	}
}

// sizeNames are the sizes of scenarios, the largest first.
var sizeNames = []string{"4K", "2160p", "1440p", "1080p", "720p", "480p", "360p"}

// scenarioCodecs are the codecs of scenarios, the default first.
var scenarioCodecs = []string{"h264", "h265", "hevc", "vp9", "av1"}

func catalogueScenarios() []CatalogueScenario {
	var list []CatalogueScenario
	for _, name := range sizeNames {
		s := sizes[strings.ToLower(name)]
		list = append(list, CatalogueScenario{
			Name: name, Kind: KindVideo, Description: "video and audio; live- in front means the live queue",
			Form: "[live-]" + name + "[FPS][-CODEC]", Example: name + "30-" + scenarioCodecs[0],
			Width: s.width, Height: s.height, MaxFPS: maxFPS, Codecs: scenarioCodecs,
		})
	}
	for _, name := range slices.Sorted(maps.Keys(soundScenarios)) {
		s := CatalogueScenario{
			Name: name, Kind: KindAudio, Description: "audio only", Codecs: []string{soundScenarios[name].audio},
		}
		if soundScenarios[name].remux {
			s.Kind, s.Description, s.Codecs = KindCopy, "video and audio copied into another container", []string{}
		}
		list = append(list, s)
	}
	return list
}

func catalogueEncoders() []CatalogueEncoder {
	var list []CatalogueEncoder
	for _, name := range Encoders {
		e := CatalogueEncoder{
			Name: name, Kind: KindVideo, Codec: CodecOf(name), DefaultFor: meaning(softwareEncoders, name),
		}
		if hardwareEncoder(name) {
			_, e.Hardware, _ = strings.Cut(name, "_")
		}
		list = append(list, e)
	}
	for _, name := range slices.Compact(slices.Sorted(maps.Values(audioEncoders))) {
		if name != "" {
			list = append(list, CatalogueEncoder{
				Name: name, Kind: KindAudio, Codec: CodecOf(name), DefaultFor: meaning(audioEncoders, name),
			})
		}
	}
	return list
}

// meaning returns the words that stand for an encoder.
func meaning(words map[string]string, encoder string) []string {
	list := []string{}
	for _, word := range slices.Sorted(maps.Keys(words)) {
		if words[word] == encoder {
			list = append(list, word)
		}
	}
	return list
}

func cataloguePresets() []CataloguePresets {
	var list []CataloguePresets
	for _, name := range Encoders {
		if p := presets(name); len(p) > 0 {
			list = append(list, CataloguePresets{Encoder: name, Presets: p})
		}
	}
	return list
}

func cataloguePairs() []CataloguePair {
	var list []CataloguePair
	for _, c := range Containers {
		list = append(list, CataloguePair{
			Extension: c.Extension, Format: c.Muxer, Video: append([]string{}, c.Video...), Audio: c.Audio,
			Subtitles: append([]string{}, c.Subtitles...),
		})
	}
	return list
}

// Parameter describes a parameter of jobs.
type Parameter struct {
	Name        string          `json:"name"`
	Type        string          `json:"type"`  // of JSON: string, integer, number, boolean, object
	Kinds       []string        `json:"kinds"` // of scenarios that take it
	Description string          `json:"description"`
	Example     json.RawMessage `json:"example"`
	With        json.RawMessage `json:"with,omitempty"` // other parameters that it requires, as in the example
	Default     string          `json:"default,omitempty"`
	Minimum     *float64        `json:"minimum,omitempty"` // included, unless Above
	Above       bool            `json:"above,omitempty"`
	Maximum     *float64        `json:"maximum,omitempty"`
	Values      []string        `json:"values,omitempty"`
	Pattern     string          `json:"pattern,omitempty"`  // of a value that is none of Values
	AliasOf     string          `json:"alias_of,omitempty"` // it is v2.2's name of that parameter
	Fields      []Parameter     `json:"fields,omitempty"`   // of the objects in an array
	// Encoders is what the encoders take, by range; none: it does not depend on the encoder.
	Encoders []ParameterRange `json:"encoders,omitempty"`
}

// ParameterRange is what some encoders take as a parameter's value: from minimum to maximum, or one of the values.
type ParameterRange struct {
	Encoders []string `json:"encoders"`
	Minimum  *float64 `json:"minimum,omitempty"`
	Maximum  *float64 `json:"maximum,omitempty"`
	Values   []string `json:"values,omitempty"`
}

// Range describes in words which values the encoders take.
func (r ParameterRange) Range() string {
	p := Parameter{Minimum: r.Minimum, Maximum: r.Maximum, Values: r.Values}
	return p.Range()
}
