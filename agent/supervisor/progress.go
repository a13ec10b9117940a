package supervisor

import (
	"cmp"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// Phases of ffrtmp.Progress that a supervisor reports.
const (
	phaseStarting = "starting"
	phaseEncoding = "encoding"
	phasePaused   = "paused"
)

// status is the content of state.json.
type status struct {
	Paused   bool            `json:"paused,omitempty"`
	Progress ffrtmp.Progress `json:"progress"`
	Percent  int             `json:"percent"`
	Source   Source          `json:"source"`
}

// take applies one line of ffmpeg's -progress output. ffmpeg writes N/A, nan or inf
// for what it does not know: the last value stays.
func (r *status) take(line string) {
	name, value, _ := strings.Cut(line, "=")
	value = strings.TrimSpace(strings.TrimSuffix(value, "x"))
	n, isInt := strconv.ParseInt(value, 10, 64)
	f, isFloat := strconv.ParseFloat(value, 64)
	whole := isInt == nil && n >= 0
	number := isFloat == nil && f >= 0 && !math.IsInf(f, 0) // NaN is not >= 0
	p := &r.Progress
	switch {
	case name == "frame" && whole:
		p.Frame = n
	case name == "fps" && number:
		p.FPS = f
	case name == "speed" && number:
		p.Speed = f
	case name == "out_time_us" && whole && n > 0:
		p.OutTimeSeconds = float64(n) / 1e6
	}
	r.setPhase()
}

func (r *status) setPhase() {
	switch p := &r.Progress; {
	case r.Paused:
		p.Phase, p.Speed, p.FPS = phasePaused, 0, 0
	case p.Frame > 0 || p.OutTimeSeconds > 0:
		p.Phase = phaseEncoding
	default:
		p.Phase = phaseStarting
	}
}

// estimate computes the percentage and the remaining time.
func (r *status) estimate(want recipe.Want) {
	r.Percent, r.Progress.ETASeconds = 0, 0
	total := want.Seconds
	if s := cmp.Or(want.SourceSeconds, r.Source.Seconds); s > 0 && !want.Pattern {
		total = cmp.Or(want.Rest(s), total)
	}
	if total == 0 {
		return
	}
	r.Percent = min(99, int(100*r.Progress.OutTimeSeconds/total))
	eta := max(0, total-r.Progress.OutTimeSeconds) / r.Progress.Speed
	if r.Progress.Speed > 0 && !math.IsInf(eta, 0) {
		r.Progress.ETASeconds = eta
	}
}

var (
	durationForm = regexp.MustCompile(`^  Duration: (\d+):(\d\d):(\d\d\.\d+)`)
	audioForm    = regexp.MustCompile(`^  Stream #0:.*: Audio: `)
)

// sourceReader reads about the first input from ffmpeg's messages.
type sourceReader struct {
	source Source
	inside bool // between "Input #0" and what follows it
}

func (r *sourceReader) take(line string) {
	switch {
	case strings.HasPrefix(line, "Input #0"):
		r.inside = true
	case strings.HasPrefix(line, "Input #"), strings.HasPrefix(line, "Output #"),
		strings.HasPrefix(line, "Stream mapping"):
		r.inside = false
	case strings.Contains(line, "Estimating duration from bitrate"):
		r.source.Estimated = true
	}
	if !r.inside {
		return
	}
	if m := durationForm.FindStringSubmatch(line); m != nil {
		hours, _ := strconv.ParseFloat(m[1], 64) // digits, all three
		minutes, _ := strconv.ParseFloat(m[2], 64)
		seconds, _ := strconv.ParseFloat(m[3], 64)
		r.source.Seconds = hours*3600 + minutes*60 + seconds
	}
	if audioForm.MatchString(line) {
		r.source.Audio = true
	}
}
