package recipe

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
)

// Loudness is an audio track whose loudness a first pass measures and the second meets.
type Loudness struct {
	Track  int             `json:"track"`  // among the output's audio tracks
	At     int             `json:"at"`     // index in Args of the track's filters
	Before string          `json:"before"` // those filters, up to the normalization
	After  string          `json:"after"`  // the filters after it: loudnorm may raise the sample rate to 192 kHz
	Normal ffrtmp.Loudness `json:"normal"`
}

// Levels are what ffmpeg's filter loudnorm says of a track. Of silence, and of less than 0.4 s, Integrated is -Inf.
type Levels struct {
	Integrated float64
	TruePeak   float64
	Range      float64
	Threshold  float64
}

// Measured reports whether there was something to measure.
func (l Levels) Measured() bool {
	sum := l.Integrated + l.TruePeak + l.Range + l.Threshold
	return !math.IsInf(sum, 0) && !math.IsNaN(sum)
}

// filterName names the filter of a track in ffmpeg's log.
func (l Loudness) filterName() string { return "loudnorm@" + strconv.Itoa(l.Track) }

// measure returns the track's filters of the first pass: they change nothing. Values that a single gain of 0 dB meets
// keep loudnorm from computing one, for which it would work at 192 kHz.
func (l Loudness) measure() string {
	return l.Before + "," + l.filterName() + "=I=-23:TP=0:LRA=50:linear=true:measured_I=-23:measured_TP=-99:" +
		"measured_LRA=1:measured_thresh=-33:print_format=json"
}

// unmeasured returns the filters as they are before anything is measured.
func (l Loudness) unmeasured() string { return l.normalize("", l.targetRange(0)) }

// headroom is how much loud sound is lowered first: loudnorm takes no measured loudness above 0 LUFS.
const headroom = 20

// normalized returns the filters of the second pass.
func (l Loudness) normalized(m Levels) string {
	if !m.Measured() {
		return l.Before
	}
	if m.Integrated > -1 {
		l.Before += fmt.Sprintf(",volume=-%ddB", headroom)
		m.Integrated, m.TruePeak, m.Threshold = m.Integrated-headroom, m.TruePeak-headroom, m.Threshold-headroom
	}
	// Of a range of 0 loudnorm thinks that it was not measured.
	span := max(0.01, m.Range)
	measured := fmt.Sprintf(":measured_I=%s:measured_TP=%s:measured_LRA=%s:measured_thresh=%s",
		level(max(m.Integrated, -99)), level(min(m.TruePeak, 99)), level(min(span, 99)), level(max(m.Threshold, -99)))
	return l.normalize(measured, l.targetRange(span))
}

// targetRange returns the loudness range to meet; the source's if the job has none.
func (l Loudness) targetRange(source float64) float64 {
	if l.Normal.Range > 0 {
		return l.Normal.Range
	}
	return min(50, max(7, math.Ceil(source)))
}

func (l Loudness) normalize(measured string, span float64) string {
	return fmt.Sprintf("%s,%s=I=%s:TP=%s:LRA=%s%s:linear=true:print_format=json,%s", l.Before, l.filterName(),
		number(l.Normal.Target), number(l.Normal.TruePeak), number(span), measured, l.After)
}

func level(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) }

// normalizes adds a track to those whose loudness is normalized. Its filters are the last argument.
func (p *Plan) normalizes(n int, normal *ffrtmp.Loudness, a *ffprobe.Stream, layouts string) {
	if normal == nil {
		return
	}
	at := len(p.Args) - 1
	// With one layout on both sides: of several ffmpeg cannot choose beyond loudnorm and a resampler.
	layout := nearestLayout(a, layouts)
	l := Loudness{Track: n, At: at, Before: soundFilter(a, layout), Normal: *normal}
	l.After = "aresample=" + sampleRate(a) + ",aformat=channel_layouts=" + layout
	p.Args[at] = l.unmeasured()
	p.Loudness = append(p.Loudness, l)
}

// nearestLayout returns the layout of a list, the largest first, that aformat would take for a source: the smallest
// that holds its channels, without one that leaves half of it silent. A test pattern is mono.
func nearestLayout(a *ffprobe.Stream, layouts string) string {
	channels := 1
	if a != nil {
		channels = a.Channels
	}
	if channels == 3 { // no layout of 5.1 for 2.1 and 3.0
		channels = 2
	}
	list := strings.Split(layouts, "|")
	nearest := list[0]
	for _, layout := range list {
		if channelsOf[layout] >= channels {
			nearest = layout
		}
	}
	return nearest
}

// measureLoudness adds to the first pass what measures the loudness of the tracks, each read as the second pass reads
// it. If that is all of the first pass, it decodes no video; inputs is how many arguments read the inputs.
func (p *Plan) measureLoudness(e ffrtmp.Encoding, s *Source, inputs int) {
	if len(p.Loudness) == 0 {
		return
	}
	if p.First == nil {
		p.First, p.SoundFirst = slices.Clone(p.Args[:inputs]), true
	}
	for i, l := range p.Loudness {
		p.First = append(p.First, "-map", p.mapOf(l), "-filter:a:"+strconv.Itoa(i), l.measure())
	}
	p.First = slices.Concat(p.First, trim(e, s), []string{"-f", "null", "-"})
}

// mapOf returns what the track of an output is made of: the map before its filters.
func (p *Plan) mapOf(l Loudness) string {
	for at := l.At; at > 0; at-- {
		if p.Args[at-1] == "-map" {
			return p.Args[at]
		}
	}
	return ""
}

// Normalize returns the plan of the second pass, given what the first has measured of each track.
func (p Plan) Normalize(levels map[int]Levels) Plan {
	p.Args = slices.Clone(p.Args)
	for _, l := range p.Loudness {
		p.Args[l.At] = l.normalized(levels[l.Track])
	}
	return p
}
