package recipe_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/media"
	agentprobe "github.com/ffrtmp/ffrtmp/agent/probe"
	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

var randomSeed = flag.Uint64("random-seed", 1, "what the first random submission is drawn from")

// draw makes submissions of what the catalogue says.
type draw struct {
	*rand.Rand
	catalogue ffrtmp.Catalogue
}

func newDraw(seed uint64) *draw {
	return &draw{rand.New(rand.NewPCG(seed, 0)), ffrtmp.NewCatalogue()}
}

func (d *draw) chance(p float64) bool { return d.Float64() < p }

func pick[T any](d *draw, list []T) T { return list[d.IntN(len(list))] }

// randomInputs are the names of inputs, and cover.png the picture of the catalogue's example.
var randomInputs = []string{"film.mkv", "tongues.mkv", "song.mp3", "cover.png"}

// submission returns a scenario and parameters.
func (d *draw) submission() (scenario string, parameters map[string]any) {
	s := pick(d, d.catalogue.Scenarios)
	scenario, parameters = s.Name, map[string]any{"input": pick(d, randomInputs)}
	if s.Form != "" {
		scenario = "360p" + pick(d, []string{"", "10", "24"}) + pick(d, []string{"", "-h264", "-hevc", "-vp9", "-av1"})
	}
	if d.chance(0.2) && s.Kind != ffrtmp.KindCopy {
		delete(parameters, "input")
	}
	for i := range d.catalogue.Parameters {
		p := &d.catalogue.Parameters[i]
		foreign := !slices.Contains(p.Kinds, s.Kind)
		if p.Name == "input" || p.Name == "rtmp_url" || p.Name == "stream_key" || d.chance(0.9) ||
			foreign && d.chance(0.95) {
			continue
		}
		parameters[p.Name] = d.value(p)
		if with := map[string]any{}; p.With != nil && d.chance(0.8) && json.Unmarshal(p.With, &with) == nil {
			delete(with, "input")
			maps.Copy(parameters, with)
		}
	}
	if parameters["input"] == "song.mp3" && s.Kind == ffrtmp.KindVideo && d.chance(0.9) {
		parameters["picture"] = "cover.png"
	}
	d.shorten(parameters)
	return scenario, parameters
}

// shorten keeps encodes small, and gives the output a name.
func (d *draw) shorten(parameters map[string]any) {
	if _, given := parameters["resolution"]; !given && d.chance(0.8) && parameters["fit"] != nil {
		parameters["resolution"] = "128x96"
	}
	if parameters["duration"] == nil && parameters["duration_seconds"] == nil && parameters["end"] == nil {
		parameters["duration"] = 0.5
	}
	delete(parameters, "output")
	if d.chance(0.7) {
		parameters["output"] = "out" + pick(d, d.catalogue.Pairs).Extension
	}
}

// value returns a value of a parameter, now and then a wrong one.
func (d *draw) value(p *ffrtmp.Parameter) any {
	if d.chance(0.05) {
		return pick(d, []any{"nosuch", -7, 1e9, true, []any{}, map[string]any{}, nil, ""})
	}
	if p.Fields != nil && p.Type == "object" {
		object := d.object(p.Fields)
		if d.chance(0.9) {
			object["image"] = "logo.png"
		}
		return object
	}
	if p.Fields != nil {
		var list []any
		for range 1 + d.IntN(3) {
			list = append(list, d.object(p.Fields))
		}
		return list
	}
	ranges := []ffrtmp.ParameterRange{{Minimum: p.Minimum, Maximum: p.Maximum, Values: p.Values}}
	if len(p.Encoders) > 0 {
		ranges = p.Encoders
	}
	r := pick(d, ranges)
	switch {
	case len(r.Values) > 0 && d.chance(0.9):
		return pick(d, r.Values)
	case r.Minimum != nil && p.Name != "resource_limits":
		return d.number(p, *r.Minimum, *r.Maximum)
	}
	var example any
	_ = json.Unmarshal(p.Example, &example) // tests of the catalogue hold it to be JSON
	return example
}

// number prefers the ends of a range; in the middle it stays near the low end, where encodes are short.
func (d *draw) number(p *ffrtmp.Parameter, low, high float64) any {
	n := low + d.Float64()*min(high-low, 8)
	switch d.IntN(10) {
	case 0:
		n = low
	case 1:
		n = high
	}
	if p.Type == "integer" {
		return math.Round(n)
	}
	return n
}

func (d *draw) object(fields []ffrtmp.Parameter) map[string]any {
	object := map[string]any{}
	for i := range fields {
		if f := &fields[i]; d.chance(0.25) {
			object[f.Name] = d.value(f)
		}
	}
	return object
}

// slow reports whether an encode would take long, or hardware that is not here.
func slow(e *ffrtmp.Encoding) bool {
	switch e.Preset {
	case "slow", "slower", "veryslow", "placebo", "0", "1", "2", "3", "4", "5":
		return true
	}
	hardware := strings.Contains(e.Encoder, "_") || e.HWAccel != ""
	long := e.Input == "" && e.Duration > 1 || e.Width*e.Height > 640*480 || e.FPS > 120
	return hardware || long || e.TwoPass || e.Mode == ffrtmp.ToRTMP
}

// tryRandom submits what a seed says. A submission is refused with a field's name, or runs and is what was asked.
func tryRandom(t *testing.T, roots *media.Roots, sources map[string]*recipe.Source, seed uint64) (ran bool) {
	t.Helper()
	scenario, parameters := newDraw(seed).submission()
	raw, err := json.Marshal(parameters)
	must(t, err)
	what := fmt.Sprintf("-random-seed %d: %s %s", seed, scenario, raw)
	p, err := ffrtmp.ParseParameters(raw)
	var e ffrtmp.Encoding
	if err == nil {
		e, err = ffrtmp.Resolve(scenario, p)
	}
	if err != nil {
		fault, ok := errors.AsType[*ffrtmp.Error](err)
		if !ok || fault.Code != ffrtmp.Invalid || !strings.HasPrefix(fault.Field, "parameters.") {
			t.Errorf("%s: got %v, want a field's name", what, err)
		}
		return false
	}
	if slow(&e) {
		return false
	}
	seen := sources[e.Input]
	if e.Picture != "" && seen != nil {
		both := *seen
		both.Picture, seen = sources[e.Picture].Video(), &both
	}
	plan, err := recipe.Build(e, run, roots, recipe.Machine{}, seen)
	if err != nil {
		if failure.Reason(err) != ffrtmp.UserError {
			t.Errorf("%s: got %v, want a plan or a user error", what, err)
		}
		return false
	}
	t.Run(fmt.Sprint(seed), func(t *testing.T) {
		t.Log(what)
		encode(t, plan)
		if plan.Work == nil {
			return
		}
		source := supervisor.Source{}
		if s := sources[e.Input]; s != nil {
			source.Audio = s.Audio() != nil
		}
		if _, err := agentprobe.Verify(t.Context(), "ffprobe", *plan.Work, plan.Want, source, plan.Input); err != nil {
			t.Errorf("got %v, want the output verified; command: %s", err, strings.Join(plan.Args, " "))
		}
		for _, work := range plan.WorkFiles() {
			must(t, os.Remove(work.Path()))
		}
	})
	return true
}

// randomSources makes the inputs of random submissions.
func randomSources(t *testing.T) (*media.Roots, map[string]*recipe.Source) {
	t.Helper()
	roots, dir := openRoots(t)
	makeTongues(t, dir)
	makeSubtitled(t, dir)
	must(t, os.Remove(filepath.Join(dir, "pictures.sup")))
	makePictures(t, dir)
	sources := map[string]*recipe.Source{}
	makeFile(t, "-f", "lavfi", "-i", "sine", "-t", "2", filepath.Join(dir, "song.mp3"))
	makeFile(t, "-i", filepath.Join(dir, "logo.png"), filepath.Join(dir, "cover.png"))
	for _, name := range randomInputs {
		if sources[name] = sourceOf(t, roots, name); ffrtmp.PictureFormat(name) != "" {
			sources[name] = pictureOf(t, roots, name)
		}
	}
	return roots, sources
}

// A few submissions are drawn from the catalogue: what is accepted completes and is what was asked, everything else is
// refused with a field's name.
func TestBuild_RandomParameters(t *testing.T) {
	roots, sources := randomSources(t)
	for seed, ran := *randomSeed, 0; ran < 4 && seed < *randomSeed+200; seed++ {
		if tryRandom(t, roots, sources, seed) {
			ran++
		}
	}
}
