package ffrtmp

import (
	"math"
	"strings"
	"testing"
)

// loudness and what belongs to it are numbers in their ranges, for sound that is encoded into a file.
func TestResolve_Loudness(t *testing.T) {
	whole := &Loudness{Target: -23, TruePeak: -1}
	for _, c := range []struct {
		scenario, parameters string
		want                 *Loudness
		says                 string
	}{
		{"720p", `{}`, nil, ""},
		{"720p", `{"loudness":-23}`, whole, ""},
		{
			"audio-opus", `{"input":"a.mkv","loudness":-16,"true_peak":-2,"loudness_range":11}`,
			&Loudness{-16, -2, 11}, "",
		},
		{"720p", `{"loudness":-23,"true_peak":0}`, &Loudness{-23, 0, 0}, ""},
		{"720p", `{"loudness":-4}`, nil, "parameters.loudness: must be between -50 and -5"},
		{"720p", `{"loudness":23}`, nil, "must be between -50 and -5"},
		{"720p", `{"loudness":"loud"}`, nil, "parameters.loudness: "},
		{"720p", `{"loudness":-23,"true_peak":1}`, nil, "parameters.true_peak: must be between -9 and 0"},
		{"720p", `{"loudness":-23,"loudness_range":0}`, nil, "parameters.loudness_range: must be between 1 and 50"},
		{"720p", `{"true_peak":-1}`, nil, "parameters.true_peak: requires loudness"},
		{"720p", `{"loudness_range":7}`, nil, "parameters.loudness_range: requires loudness"},
		{"720p", `{"loudness":-23,"audio_codec":"none"}`, nil, "parameters.loudness: excludes audio_codec none"},
		{"720p", `{"loudness":-23,"output_mode":"null"}`, nil, "parameters.loudness: requires output_mode file"},
		{"720p", `{"loudness":-23,"rtmp_url":"rtmp://h/a"}`, nil, "parameters.loudness: requires output_mode file"},
		{"720p", `{"loudness":-23,"input":"rtmp://h/a"}`, nil, "parameters.loudness: a live input can be read"},
		{"remux", `{"input":"a.mkv","loudness":-23}`, nil, "parameters.loudness: does not apply to scenario remux"},
		{"720p", `{"input":"a.mkv","audio":[{}],"loudness":-23}`, nil, "parameters.loudness: excludes audio"},
		{
			"720p", `{"input":"a.mkv","audio":[{},{"loudness":-90}]}`, nil,
			"parameters.audio[1].loudness: must be between",
		},
		{"720p", `{"input":"a.mkv","audio":[{"true_peak":-1}]}`, nil, "parameters.audio[0].true_peak: requires"},
		{
			"720p", `{"input":"a.mkv","audio":[{"codec":"copy","loudness":-23}]}`, nil,
			"parameters.audio[0].loudness: does not apply to a copy",
		},
	} {
		e, err := resolve(t, c.scenario, c.parameters)
		if c.says != "" {
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: got %v, want %s", c.parameters, err, c.says)
			}
			continue
		}
		if err != nil || (e.Loudness == nil) != (c.want == nil) || e.Loudness != nil && *e.Loudness != *c.want {
			t.Errorf("%s: got %+v, %v, want %+v", c.parameters, e.Loudness, err, c.want)
		}
	}
	e, err := resolve(t, "720p", `{"input":"a.mkv","audio":[{},{"loudness":-23}]}`)
	if err != nil || e.AudioTracks[0].Normal != nil || e.AudioTracks[1].Normal == nil ||
		*e.AudioTracks[1].Normal != *whole {
		t.Errorf("got %+v, %v, want the second track alone normalized", e.AudioTracks, err)
	}
}

// What is stored of a result's loudness has no more tracks than fit, and figures that JSON can hold.
func TestResult_Loudness(t *testing.T) {
	tracks := []TrackLoudness{{Track: -1, Mode: "linear", Source: &LoudnessLevel{-31.256, math.Inf(-1), math.NaN()}}}
	tracks = append(tracks, make([]TrackLoudness, 40)...)
	r := Result{JobID: "j", NodeID: "n", Status: ResultCompleted, Output: &Output{Path: "a", Loudness: tracks}}
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	got := r.Output.Loudness
	if len(got) != maxLoudnessTracks || got[0].Track != 0 ||
		*got[0].Source != (LoudnessLevel{-31.26, -maxMediaFigures, 0}) {
		t.Errorf("got %d tracks, first %+v %+v, want %d and rounded figures", len(got), got[0], got[0].Source,
			maxLoudnessTracks)
	}
}
