package ffrtmp

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/ffrtmp/ffrtmp/internal/strictjson"
)

// AudioTrack asks for an audio track of the output. Language, index and all choose from the source's audio tracks; at
// most one of them is given, and without one it is the first track.
type AudioTrack struct {
	Language string `json:"language"` // ISO 639, of two or three letters; und: no language
	Index    *int   `json:"index"`    // among the source's audio tracks, from 0
	All      bool   `json:"all"`
	Optional bool   `json:"optional"` // a track that the source lacks is left out with a warning
	Codec    string `json:"codec"`    // as audio_codec, or copy
	Bitrate  string `json:"bitrate"`
	Channels *int   `json:"channels"` // at most; more are mixed down
	Title    string `json:"title"`
	Default  bool   `json:"default"` // players choose it

	Loudness      *float64 `json:"loudness"` // LUFS; this and the following: see Loudness
	TruePeak      *float64 `json:"true_peak"`
	LoudnessRange *float64 `json:"loudness_range"`

	Encoder string    `json:"-"` // ffmpeg's name, or copy
	Normal  *Loudness `json:"-"` // what its loudness is normalized to; nil: it stays
}

const (
	maxTracks    = 16
	maxTrack     = 99 // the highest index
	maxTitle     = 255
	minAudioRate = 8_000 // bits per second
	maxAudioRate = 1_000_000
)

var (
	languageForm    = regexp.MustCompile(`^[a-zA-Z]{2,3}$`)
	audioTrackNames = strictjson.Fields[AudioTrack]()[:12] // not Encoder and Normal
)

// channelCounts are those of layouts that players know.
var channelCounts = []int{1, 2, 6, 8}

// maxChannels are the channels that an encoder writes; 8 if it is missing.
var maxChannels = map[string]int{"libmp3lame": 2, "ac3": 6}

// parseTracks rejects unknown fields of the objects in a list of parameters. The objects have been decoded: a list
// that is absent or wrong is none here.
func parseTracks(raw json.RawMessage, field string, known []string) error {
	var list []map[string]json.RawMessage
	_ = json.Unmarshal(raw, &list)
	for i, track := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		if track == nil {
			return FieldErrorf(at, "must be an object, not null")
		}
		for _, name := range slices.Sorted(maps.Keys(track)) {
			if !slices.Contains(known, name) {
				return FieldErrorf(at+"."+name, "unknown field")
			}
		}
	}
	return nil
}

// checkCount returns an error that names the list unless it is absent or has 1 to maxTracks entries.
func checkCount(field string, n int, absent bool, otherwise string) error {
	if absent || n > 0 && n <= maxTracks {
		return nil
	}
	return FieldErrorf(field, "must have 1 to %d tracks; %s", maxTracks, otherwise)
}

// resolveAudioTracks applies the list audio; the container is known.
func (s scenario) resolveAudioTracks(e *Encoding, p Parameters) error {
	err := checkCount("parameters.audio", len(p.Audio), p.Audio == nil, "for no sound, set audio_codec to none")
	switch {
	case err != nil || p.Audio == nil:
		return err
	case p.AudioCodec != "":
		return FieldErrorf("parameters.audio_codec", "excludes audio; set the codec of each track in audio")
	case p.AudioBitrate != "":
		return FieldErrorf("parameters.audio_bitrate", "excludes audio; set the bitrate of each track in audio")
	}
	c := e.Container()
	if n := len(p.Audio); n > 1 && c.oneTrack() && e.Mode != ToNull {
		return FieldErrorf("parameters.audio", "%s output holds one audio track, not %d", e.kind(c), n)
	}
	e.AudioTracks = slices.Clone(p.Audio)
	for i := range e.AudioTracks {
		at := fmt.Sprintf("parameters.audio[%d].", i)
		t := &e.AudioTracks[i]
		err := cmp.Or(t.checkChoice(at, e), t.resolveCodec(at, s, e), t.check(at, e), t.resolveLoudness(at, e))
		if err != nil {
			return err
		}
	}
	e.AudioEncoder = e.AudioTracks[0].Encoder
	return e.checkDefaults()
}

// kind names the kind of output in messages.
func (e *Encoding) kind(c Container) string {
	if e.Mode == ToRTMP {
		return "an RTMP"
	}
	return "a " + c.Extension
}

// checkDefaults returns an error that names the second default track.
func (e *Encoding) checkDefaults() error {
	var found bool
	for i, t := range e.AudioTracks {
		if t.Default && found {
			return FieldErrorf(fmt.Sprintf("parameters.audio[%d].default", i), "only one track can be the default")
		}
		found = found || t.Default
	}
	return nil
}

// checkChoice checks what chooses the track.
func (t *AudioTrack) checkChoice(at string, e *Encoding) error {
	if err := checkChoice(at, t.Language, t.Index, t.All); err != nil {
		return err
	}
	switch {
	case t.All && e.Container().oneTrack() && e.Mode != ToNull:
		return FieldErrorf(at+"all", "%s output holds one audio track", e.kind(e.Container()))
	case e.Input != "" && !rtmp(e.Input):
		return nil
	case t.Language != "":
		return FieldErrorf(at+"language", "a test pattern or an RTMP input has one track, without a language")
	case t.Index != nil && *t.Index > 0:
		return FieldErrorf(at+"index", "must be 0: a test pattern or an RTMP input has one track")
	}
	return nil
}

// checkChoice checks how a track is chosen; at is the path of its fields.
func checkChoice(at, language string, index *int, all bool) error {
	switch {
	case language != "" && !languageForm.MatchString(language):
		return FieldErrorf(at+"language", "%q is not an ISO 639 code of two or three letters, such as eng", language)
	case language != "" && index != nil:
		return FieldErrorf(at+"index", "excludes language")
	case all && language != "":
		return FieldErrorf(at+"all", "excludes language")
	case all && index != nil:
		return FieldErrorf(at+"all", "excludes index")
	case index != nil:
		return checkRange(at+"index", *index, 0, maxTrack)
	}
	return nil
}

// resolveCodec sets the encoder, by default the scenario's or the container's first.
func (t *AudioTrack) resolveCodec(at string, s scenario, e *Encoding) error {
	c := e.Container()
	codec := cmp.Or(t.Codec, s.audio, c.Audio[0])
	if s.remux {
		codec = cmp.Or(t.Codec, "copy")
	}
	encoder, known := audioEncoders[codec]
	switch {
	case codec == "copy":
		encoder = "copy"
	case !known || encoder == "":
		return FieldErrorf(at+"codec", "unknown value %q; use aac, mp3, opus, ac3, flac, pcm or copy", codec)
	}
	t.Encoder = encoder
	switch {
	case s.remux && codec != "copy":
		return FieldErrorf(at+"codec", "scenario remux copies audio; use copy")
	case s.audio != "" && encoder != audioEncoders[s.audio]:
		return FieldErrorf(at+"codec", "contradicts scenario %s", s.name)
	case codec != "copy":
		if e.Mode == ToNull {
			return nil
		}
		return checkCodec(at+"codec", c, c.Audio, encoder, func(c Container) []string { return c.Audio })
	case e.Mode == ToRTMP && !s.remux:
		return FieldErrorf(at+"codec", "an RTMP output is encoded, so that it is stereo; use aac or mp3")
	case e.Input == "":
		return FieldErrorf(at+"codec", "copy requires an input")
	}
	return nil
}

// check checks what is asked of the track, whose encoder is known.
func (t *AudioTrack) check(at string, e *Encoding) error {
	copied := t.Encoder == "copy"
	limit := cmp.Or(maxChannels[t.Encoder], channelCounts[len(channelCounts)-1])
	switch {
	case copied && t.Bitrate != "":
		return FieldErrorf(at+"bitrate", "does not apply to a copy")
	case copied && t.Channels != nil:
		return FieldErrorf(at+"channels", "does not apply to a copy")
	case t.Bitrate != "" && slices.Contains([]string{"flac", "pcm_s16le"}, t.Encoder):
		return FieldErrorf(at+"bitrate", "does not apply to %s, which is lossless", CodecOf(t.Encoder))
	case t.Channels != nil && !slices.Contains(channelCounts, *t.Channels):
		return FieldErrorf(at+"channels", "must be 1, 2, 6 or 8")
	case t.Channels != nil && *t.Channels > limit:
		return FieldErrorf(at+"channels", "must be at most %d: %s has no more", limit, CodecOf(t.Encoder))
	case t.Channels != nil && *t.Channels > 2 && e.Mode == ToRTMP:
		return FieldErrorf(at+"channels", "must be 2: an RTMP output is stereo")
	}
	return cmp.Or(checkAudioRate(at+"bitrate", t.Bitrate), checkText(at+"title", t.Title, maxTitle))
}

// resolveLoudness sets what the loudness is normalized to.
func (t *AudioTrack) resolveLoudness(at string, e *Encoding) (err error) {
	t.Normal, err = newLoudness(at, t.Loudness, t.TruePeak, t.LoudnessRange)
	switch {
	case err != nil || t.Normal == nil:
		return err
	case t.Encoder == "copy":
		return FieldErrorf(at+"loudness", "does not apply to a copy")
	}
	return e.checkLoudness(at + "loudness")
}

// checkAudioRate returns an error that names the field unless it is "" or a bit rate that encoders take.
func checkAudioRate(field, rate string) error {
	switch {
	case rate == "":
		return nil
	case !bitrateForm.MatchString(rate):
		return FieldErrorf(field, "%q is not a bit rate such as 128k", rate)
	case BitsPerSecond(rate) < minAudioRate || BitsPerSecond(rate) > maxAudioRate:
		return FieldErrorf(field, "must be between %dk and %dk", minAudioRate/1000, maxAudioRate/1000)
	}
	return nil
}

// audioParameter describes the list audio and the fields of its objects.
func audioParameter() Parameter {
	p := about("audio", "array", everyKind, `[{"language":"eng","title":"Main","default":true}]`,
		"audio tracks of the output, 1 to 16; excludes audio_codec and audio_bitrate").
		defaults("the source's first track").with(`{"input":"film.mkv"}`)
	var codecs []string
	for _, codec := range slices.Sorted(maps.Keys(audioEncoders)) {
		if codec != "none" {
			codecs = append(codecs, codec)
		}
	}
	p.Fields = append(choiceParameters(everyKind),
		about("codec", "string", everyKind, `"aac"`, "copy, or a codec; remux: copy only").
			defaults("the container's first; remux: copy").oneOf(append(codecs, "copy")...),
		about("bitrate", "string", encoding, `"128k"`, "bits per second, 8k to 1000k").
			defaults("the encoder's").form(bitrateForm),
		about("channels", "integer", encoding, `2`, "1, 2, 6 (5.1) or 8 (7.1) at most; more are mixed down").
			defaults("the source's").within(1, 8),
		titleParameter(),
		about("default", "boolean", everyKind, `true`, "players choose it; one track at most").
			defaults("the first track"))
	p.Fields = append(p.Fields, loudnessParameters()...)
	return p
}

// choiceParameters describes how a track is chosen.
func choiceParameters(kinds []string) []Parameter {
	return []Parameter{
		about("language", "string", kinds, `"eng"`, "ISO 639 code; the first track in it, und: without a language").
			form(languageForm),
		about("index", "integer", kinds, `0`, "among the source's tracks of this type; excludes language").
			within(0, maxTrack),
		about("all", "boolean", kinds, `true`, "all tracks of this type; excludes language and index").
			defaults("false"),
		about("optional", "boolean", kinds, `true`,
			"leave the track out with a warning if the source lacks it; else that is a user_error").defaults("false"),
	}
}

func titleParameter() Parameter {
	return about("title", "string", everyKind, `"Commentary"`, "name that players show").defaults("the source's")
}
