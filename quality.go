package ffrtmp

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Quality is what a job asks of its video encoder beside bit rate and preset. Zero values leave it to the encoder.
type Quality struct {
	CRF         *int   // on the encoder's own scale; lower is better
	TwoPass     bool   // a first pass measures the picture, so that the second meets the bit rate
	MaxRate     string // as Bitrate
	BufSize     string
	GOPSeconds  float64 // longest time between key frames
	Profile     string
	Level       string
	PixelFormat string
	Tune        string
	FilmGrain   int
}

// EncoderQuality lists what an encoder takes as parameters of Quality. An empty list or range: it has no such option.
type EncoderQuality struct {
	Encoder      string
	CRF          Range
	FilmGrain    Range
	MaxRate      bool
	TwoPass      bool
	Profiles     []string // those of 10 bit are named in tenBitProfiles
	Levels       []string
	PixelFormats []string
	Tunes        []string
}

// Range is an inclusive range; the zero value is none.
type Range struct{ Min, Max int }

const (
	eightBit = "yuv420p"
	tenBit   = "yuv420p10le"
)

var (
	tenBitProfiles = []string{"high10", "main10", "2"}
	bothDepths     = []string{eightBit, tenBit}
	h264Levels     = []string{
		"1", "1.1", "1.2", "1.3", "2", "2.1", "2.2", "3", "3.1", "3.2", "4", "4.1", "4.2", "5", "5.1", "5.2", "6",
		"6.1", "6.2",
	}
)

// EncoderQualities is the one table of quality parameters and encoders; an encoder that is missing takes gop_seconds
// only.
var EncoderQualities = []EncoderQuality{
	{
		Encoder: "libx264", CRF: Range{1, 51}, MaxRate: true, TwoPass: true, PixelFormats: bothDepths,
		Levels: h264Levels, Profiles: []string{"baseline", "main", "high", "high10"},
		Tunes: []string{"film", "animation", "grain", "stillimage", "fastdecode", "zerolatency"},
	},
	{
		Encoder: "libx265", CRF: Range{0, 51}, MaxRate: true, TwoPass: true, PixelFormats: bothDepths,
		Profiles: []string{"main", "main10"},
		Tunes:    []string{"animation", "grain", "fastdecode", "zerolatency", "psnr", "ssim"},
	},
	{
		Encoder: "libvpx-vp9", CRF: Range{0, 63}, MaxRate: true, TwoPass: true, PixelFormats: bothDepths,
		Profiles: []string{"0", "2"}, Tunes: []string{"film", "screen"},
	},
	{Encoder: "libsvtav1", CRF: Range{1, 63}, FilmGrain: Range{0, 50}, MaxRate: true, PixelFormats: bothDepths},
	{
		Encoder: "libaom-av1", CRF: Range{0, 63}, FilmGrain: Range{0, 50}, MaxRate: true, TwoPass: true,
		PixelFormats: bothDepths,
		Tunes:        []string{"psnr", "ssim"},
	},
	{Encoder: "h264_nvenc", CRF: Range{1, 51}, MaxRate: true, Profiles: []string{"baseline", "main", "high"}},
	{Encoder: "hevc_nvenc", CRF: Range{1, 51}, MaxRate: true},
	{Encoder: "av1_nvenc", CRF: Range{1, 51}, MaxRate: true},
	{Encoder: "h264_qsv", CRF: Range{1, 51}},
	{Encoder: "hevc_qsv", CRF: Range{1, 51}},
	{Encoder: "vp9_qsv", CRF: Range{1, 51}},
	{Encoder: "av1_qsv", CRF: Range{1, 51}},
	{Encoder: "h264_vaapi", CRF: Range{1, 51}},
	{Encoder: "hevc_vaapi", CRF: Range{1, 51}},
	{Encoder: "vp9_vaapi", CRF: Range{1, 51}},
	{Encoder: "av1_vaapi", CRF: Range{1, 51}},
}

func qualityOf(encoder string) EncoderQuality {
	i := slices.IndexFunc(EncoderQualities, func(q EncoderQuality) bool { return q.Encoder == encoder })
	if i < 0 {
		return EncoderQuality{Encoder: encoder}
	}
	return EncoderQualities[i]
}

const (
	minGOPSeconds = 0.1
	maxGOPSeconds = 60
)

// resolveQuality applies the parameters of Quality; the encoder is known.
func resolveQuality(e *Encoding, p Parameters) error {
	q := qualityOf(e.Encoder)
	e.Quality = Quality{
		CRF: p.CRF, MaxRate: p.MaxRate, BufSize: p.BufSize, Profile: p.Profile, Level: p.Level,
		PixelFormat: p.PixFmt, Tune: p.Tune,
	}
	return cmp.Or(
		q.check("crf", p.CRF, q.CRF), q.check("film_grain", p.FilmGrain, q.FilmGrain),
		q.checkOne("profile", p.Profile, q.Profiles), q.checkOne("level", p.Level, q.Levels),
		q.checkOne("pix_fmt", p.PixFmt, q.PixelFormats), q.checkOne("tune", p.Tune, q.Tunes),
		e.resolveGrain(p), e.resolveGOP(p), e.resolveDepth(), e.resolveRates(q), e.resolvePasses(q, p))
}

// check returns an error that names the encoder's range unless the value is inside.
func (q EncoderQuality) check(name string, value *int, r Range) error {
	switch {
	case value == nil:
		return nil
	case r == Range{}:
		return q.missing(name)
	case *value < r.Min || *value > r.Max:
		return FieldErrorf("parameters."+name, "must be between %d and %d for %s", r.Min, r.Max, q.Encoder)
	}
	return nil
}

// checkOne returns an error that names the encoder's values unless the value is one.
func (q EncoderQuality) checkOne(name, value string, values []string) error {
	switch {
	case value == "" || slices.Contains(values, value):
		return nil
	case len(values) == 0:
		return q.missing(name)
	}
	return FieldErrorf("parameters."+name, "unknown value %q for %s; use %s", value, q.Encoder, either(values))
}

// missing names the encoders that have a parameter which this one lacks.
func (q EncoderQuality) missing(name string) error {
	var have []string
	for _, p := range parameterTable {
		for _, r := range p.Encoders {
			if p.Name == name {
				have = append(have, r.Encoders...)
			}
		}
	}
	return FieldErrorf("parameters."+name, "%s has none; use codec %s", q.Encoder, either(have))
}

// either lists alternatives: a, b or c.
func either(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}

func (e *Encoding) resolveGrain(p Parameters) error {
	if p.FilmGrain != nil {
		e.FilmGrain = *p.FilmGrain
	}
	return nil
}

func (e *Encoding) resolveGOP(p Parameters) error {
	if p.GOPSeconds == nil {
		return nil
	}
	e.GOPSeconds = *p.GOPSeconds
	if !(e.GOPSeconds >= minGOPSeconds && e.GOPSeconds <= maxGOPSeconds) {
		return FieldErrorf("parameters.gop_seconds", "must be between %g and %d", minGOPSeconds, maxGOPSeconds)
	}
	return nil
}

// resolveDepth makes pixel format and profile agree.
func (e *Encoding) resolveDepth() error {
	deep := slices.Contains(tenBitProfiles, e.Profile)
	if e.PixelFormat == "" && (deep || e.KeepHDR && e.Profile != "") {
		e.PixelFormat = tenBit
	}
	switch {
	case e.Profile != "" && deep != (e.PixelFormat == tenBit):
		return FieldErrorf("parameters.profile", "%s does not go with pix_fmt %s", e.Profile,
			cmp.Or(e.PixelFormat, eightBit))
	case e.KeepHDR && e.PixelFormat == eightBit:
		return FieldErrorf("parameters.pix_fmt", "hdr keep requires %s", tenBit)
	}
	if e.Mode == ToRTMP && e.PixelFormat == tenBit {
		return FieldErrorf("parameters.pix_fmt", "RTMP requires %s", eightBit)
	}
	return nil
}

// resolveRates checks how crf, bitrate, maxrate and bufsize go together.
func (e *Encoding) resolveRates(q EncoderQuality) error {
	for _, r := range []struct{ name, value string }{{"maxrate", e.MaxRate}, {"bufsize", e.BufSize}} {
		if r.value != "" && !bitrateForm.MatchString(r.value) {
			return FieldErrorf("parameters."+r.name, "%q is not a bit rate such as 10M or 2500k", r.value)
		}
		if r.value != "" && !q.MaxRate {
			return q.missing(r.name)
		}
	}
	switch {
	case e.CRF != nil && e.Bitrate != "":
		return FieldErrorf("parameters.crf", "excludes bitrate; to limit the bit rate set maxrate")
	case e.BufSize != "" && e.MaxRate == "":
		return FieldErrorf("parameters.bufsize", "requires maxrate")
	case e.MaxRate != "" && e.Bitrate != "" && e.Encoder == "libsvtav1":
		return FieldErrorf("parameters.maxrate", "libsvtav1 takes it with crf, not with bitrate")
	case e.MaxRate != "" && e.Bitrate != "" && BitsPerSecond(e.MaxRate) < BitsPerSecond(e.Bitrate):
		return FieldErrorf("parameters.maxrate", "must be at least bitrate")
	case e.MaxRate != "" && BitsPerSecond(e.MaxRate) < minMaxRate:
		return FieldErrorf("parameters.maxrate", "must be at least %dk", minMaxRate/1000)
	case e.BufSize != "" && BitsPerSecond(e.BufSize) < BitsPerSecond(e.MaxRate)/4:
		return FieldErrorf("parameters.bufsize", "must be at least a quarter of maxrate")
	}
	return nil
}

// minMaxRate is the least maxrate: SVT-AV1 counts in thousands, and no film looks like one below.
const minMaxRate = 10_000

// BitsPerSecond returns a valid bit rate as a number.
func BitsPerSecond(rate string) float64 {
	unit := strings.TrimLeft(rate, "0123456789.")
	n, err := strconv.ParseFloat(strings.TrimSuffix(rate, unit), 64)
	if err != nil {
		return math.NaN()
	}
	switch unit {
	case "k", "K":
		n *= 1e3
	case "m", "M":
		n *= 1e6
	}
	return n
}

// qualityParameters describes the parameters of Quality.
func qualityParameters() []Parameter {
	quality := func(name, kind, example, description string) Parameter {
		return about(name, kind, videoKind, example, description).defaults("the encoder's")
	}
	values := func(p Parameter, of func(EncoderQuality) []string) Parameter {
		return p.byEncoder(func(q EncoderQuality) *ParameterRange { return orNone(ParameterRange{Values: of(q)}) })
	}
	numbers := func(p Parameter, of func(EncoderQuality) Range) Parameter {
		return p.byEncoder(func(q EncoderQuality) *ParameterRange { return of(q).parameter() })
	}
	rate := func(p Parameter) Parameter {
		return p.form(bitrateForm).byEncoder(func(q EncoderQuality) *ParameterRange {
			if !q.MaxRate {
				return nil
			}
			return &ParameterRange{}
		})
	}
	return []Parameter{
		numbers(quality("crf", "integer", `20`, "quality on the encoder's scale, lower is better; excludes bitrate"),
			func(q EncoderQuality) Range { return q.CRF }),
		rate(quality("maxrate", "string", `"6M"`, "highest bit rate, at least 10k, over the time that bufsize holds")),
		rate(quality("bufsize", "string", `"12M"`, "buffer of maxrate, from a quarter of it").
			defaults("twice maxrate").with(`{"maxrate":"6M"}`)),
		passesParameter(),
		quality("gop_seconds", "number", `2`, "longest time between key frames, which are at its multiples").
			within(minGOPSeconds, maxGOPSeconds),
		values(quality("profile", "string", `"high"`, "profile; those of 10 bit imply pix_fmt"),
			func(q EncoderQuality) []string { return q.Profiles }),
		values(quality("level", "string", `"4.1"`, "level that the output declares"),
			func(q EncoderQuality) []string { return q.Levels }),
		values(quality("pix_fmt", "string", `"yuv420p10le"`, "8 or 10 bit").defaults(eightBit),
			func(q EncoderQuality) []string { return q.PixelFormats }),
		values(quality("tune", "string", `"film"`, "kind of content, or what to optimize"),
			func(q EncoderQuality) []string { return q.Tunes }),
		numbers(quality("film_grain", "integer", `8`, "grain that is removed and synthesized by the player").
			defaults("0").with(`{"codec":"av1"}`), func(q EncoderQuality) Range { return q.FilmGrain }),
	}
}

func (r Range) parameter() *ParameterRange {
	if r == (Range{}) {
		return nil
	}
	minimum, maximum := float64(r.Min), float64(r.Max)
	return &ParameterRange{Minimum: &minimum, Maximum: &maximum}
}

func orNone(r ParameterRange) *ParameterRange {
	if len(r.Values) == 0 {
		return nil
	}
	return &r
}

// byEncoder lists the encoders that take the parameter, those with one range together.
func (p Parameter) byEncoder(of func(EncoderQuality) *ParameterRange) Parameter {
	for _, q := range EncoderQualities {
		r := of(q)
		if r == nil {
			continue
		}
		i := slices.IndexFunc(p.Encoders, func(other ParameterRange) bool { return other.Range() == r.Range() })
		if i < 0 {
			p.Encoders = append(p.Encoders, *r)
			i = len(p.Encoders) - 1
		}
		p.Encoders[i].Encoders = append(p.Encoders[i].Encoders, q.Encoder)
	}
	return p
}
