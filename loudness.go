package ffrtmp

import "math"

// Loudness is what the loudness of sound is normalized to, by EBU R 128.
type Loudness struct {
	Target   float64 // LUFS
	TruePeak float64 // dBTP, at most
	Range    float64 // LU, at most; 0: the source's
}

// Bounds of Loudness, as ffmpeg's loudnorm has them. Below the lowest target little is left of the sound.
const (
	minLoudness      = -50
	maxLoudness      = -5
	minTruePeak      = -9
	maxTruePeak      = 0
	minLoudnessRange = 1
	maxLoudnessRange = 50
	defaultTruePeak  = -1 // EBU R 128
)

// newLoudness returns what the three fields ask for, nil if none of them is given; at is their path.
func newLoudness(at string, target, peak, span *float64) (*Loudness, error) {
	for _, f := range []struct {
		name      string
		value     *float64
		low, high float64
	}{
		{"loudness", target, minLoudness, maxLoudness},
		{"true_peak", peak, minTruePeak, maxTruePeak},
		{"loudness_range", span, minLoudnessRange, maxLoudnessRange},
	} {
		switch {
		case f.value == nil:
		case target == nil:
			return nil, FieldErrorf(at+f.name, "requires loudness")
		case !(*f.value >= f.low && *f.value <= f.high):
			return nil, FieldErrorf(at+f.name, "must be between %g and %g", f.low, f.high)
		}
	}
	if target == nil {
		return nil, nil
	}
	l := &Loudness{Target: *target, TruePeak: defaultTruePeak}
	if peak != nil {
		l.TruePeak = *peak
	}
	if span != nil {
		l.Range = *span
	}
	return l, nil
}

// resolveLoudness applies loudness, true_peak and loudness_range to a job's only audio track.
func resolveLoudness(e *Encoding, p Parameters) (err error) {
	if e.Loudness, err = newLoudness("parameters.", p.Loudness, p.TruePeak, p.LoudnessRange); err != nil {
		return err
	}
	switch {
	case e.Loudness == nil:
		return nil
	case p.Audio != nil:
		return FieldErrorf("parameters.loudness", "excludes audio; set the loudness of each track in audio")
	case e.AudioEncoder == "":
		return FieldErrorf("parameters.loudness", "excludes audio_codec none")
	}
	return e.checkLoudness("parameters.loudness")
}

// checkLoudness returns an error that names the field if the sound cannot be read twice.
func (e *Encoding) checkLoudness(field string) error {
	switch {
	case e.Mode != ToFile:
		return FieldErrorf(field, "requires output_mode file: the sound is measured first, then encoded")
	case LiveInput(e.Input):
		return FieldErrorf(field, "a live input can be read only once")
	}
	return nil
}

// loudnessParameters describes the three fields.
func loudnessParameters() []Parameter {
	return []Parameter{
		about("loudness", "number", encoding, `-23`,
			"loudness of the sound in LUFS (EBU R 128), measured first and then met; for files").
			defaults("the source's").within(minLoudness, maxLoudness),
		about("true_peak", "number", encoding, `-1`, "highest true peak in dBTP that loudness allows").
			defaults("-1").with(`{"loudness":-23}`).within(minTruePeak, maxTruePeak),
		about("loudness_range", "number", encoding, `7`,
			"highest loudness range in LU; a source with more is compressed").
			defaults("the source's").with(`{"loudness":-23}`).within(minLoudnessRange, maxLoudnessRange),
	}
}

// TrackLoudness is what the normalization of an audio track has measured.
type TrackLoudness struct {
	Track  int            `json:"track"`            // among the output's audio tracks, from 0
	Mode   string         `json:"mode"`             // LoudnessLinear, LoudnessDynamic or LoudnessUnchanged
	Source *LoudnessLevel `json:"source,omitempty"` // nil: silent, or too short to measure
	Output *LoudnessLevel `json:"output,omitempty"` // before it is encoded
}

// Modes of TrackLoudness.
const (
	LoudnessLinear    = "linear"    // one gain for the whole track
	LoudnessDynamic   = "dynamic"   // a gain that changes: a single one would exceed the true peak or the range
	LoudnessUnchanged = "unchanged" // nothing to measure
)

// LoudnessLevel is the loudness of sound.
type LoudnessLevel struct {
	Integrated float64 `json:"integrated_lufs"`
	TruePeak   float64 `json:"true_peak_dbtp"`
	Range      float64 `json:"range_lu"`
}

// maxLoudnessTracks limits what is stored of an output.
const maxLoudnessTracks = 32

// boundedLoudness returns what is stored: figures that JSON can hold, of so many tracks.
func boundedLoudness(list []TrackLoudness) []TrackLoudness {
	list = list[:min(len(list), maxLoudnessTracks)]
	for i := range list {
		t := &list[i]
		t.Track, t.Mode = max(0, t.Track), mediaWord(t.Mode)
		for _, l := range []*LoudnessLevel{t.Source, t.Output} {
			if l == nil {
				continue
			}
			for _, f := range []*float64{&l.Integrated, &l.TruePeak, &l.Range} {
				*f = math.Copysign(figure(math.Abs(*f)), *f)
			}
		}
	}
	return list
}
