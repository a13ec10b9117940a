package supervisor

import (
	"fmt"
	"math"
	"regexp"
	"strconv"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// loudnessReader reads what ffmpeg's filters loudnorm print of each track at the end of a pass.
type loudnessReader struct {
	inside bool // between the braces of a track
	track  int
	values map[string]string
	tracks map[int]loudnessReport
}

// loudnessReport is what the filter of a track has measured.
type loudnessReport struct {
	in, out recipe.Levels
	linear  bool
}

var (
	loudnessHead  = regexp.MustCompile(`^\[loudnorm@(\d+) @ 0x[0-9a-f]+\]`)
	loudnessValue = regexp.MustCompile(`^\s*"(\w+)" : "([^"]*)",?$`)
)

// take reads one line of ffmpeg's log.
func (r *loudnessReader) take(line string) {
	if m := loudnessHead.FindStringSubmatch(line); m != nil {
		r.track, _ = strconv.Atoi(m[1]) // digits
		r.inside, r.values = true, map[string]string{}
		return
	}
	if !r.inside {
		return
	}
	if m := loudnessValue.FindStringSubmatch(line); m != nil {
		r.values[m[1]] = m[2]
	}
	if line != "}" {
		return
	}
	r.inside = false
	if r.tracks == nil {
		r.tracks = map[int]loudnessReport{}
	}
	linear := r.values["normalization_type"] == "linear"
	r.tracks[r.track] = loudnessReport{r.levels("input"), r.levels("output"), linear}
}

func (r *loudnessReader) levels(of string) recipe.Levels {
	read := func(name string) float64 {
		f, err := strconv.ParseFloat(r.values[of+"_"+name], 64)
		if err != nil {
			return math.NaN()
		}
		return f
	}
	return recipe.Levels{Integrated: read("i"), TruePeak: read("tp"), Range: read("lra"), Threshold: read("thresh")}
}

// measured returns the levels of the sources.
func (r *loudnessReader) measured() map[int]recipe.Levels {
	levels := map[int]recipe.Levels{}
	for track, report := range r.tracks {
		levels[track] = report.in
	}
	return levels
}

// loudness returns what a run measured of its tracks before and after they were normalized.
func loudness(plan recipe.Plan, before, after loudnessReader) []ffrtmp.TrackLoudness {
	var list []ffrtmp.TrackLoudness
	for _, l := range plan.Loudness {
		t := ffrtmp.TrackLoudness{Track: l.Track, Mode: ffrtmp.LoudnessUnchanged}
		report, normalized := after.tracks[l.Track]
		if normalized {
			t.Mode = ffrtmp.LoudnessDynamic
			t.Output = figures(report.out)
		}
		if normalized && report.linear {
			t.Mode = ffrtmp.LoudnessLinear
		}
		t.Source = figures(before.tracks[l.Track].in)
		list = append(list, t)
	}
	return list
}

func figures(l recipe.Levels) *ffrtmp.LoudnessLevel {
	if l == (recipe.Levels{}) || !l.Measured() {
		return nil
	}
	return &ffrtmp.LoudnessLevel{Integrated: l.Integrated, TruePeak: l.TruePeak, Range: l.Range}
}

// loudnessSlack is how far, in LU, a result may be from its target without a warning.
const loudnessSlack = 1

// loudnessWarnings say which tracks do not have the loudness that was asked for.
func loudnessWarnings(plan recipe.Plan, measured []ffrtmp.TrackLoudness) []string {
	var list []string
	for i, t := range measured {
		target := plan.Loudness[i].Normal.Target
		switch {
		case t.Mode == ffrtmp.LoudnessUnchanged:
			list = append(list, fmt.Sprintf(
				"loudness: audio track %d stays as it is: it is silent, or shorter than 0.4 s", t.Track))
		case t.Output != nil && math.Abs(t.Output.Integrated-target) > loudnessSlack:
			list = append(list, fmt.Sprintf("loudness: audio track %d has %.1f LUFS, not %g: true_peak or its length "+
				"allows no more", t.Track, t.Output.Integrated, target))
		}
	}
	return list
}
