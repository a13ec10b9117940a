package ffrtmp

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ffrtmp/ffrtmp/internal/strictjson"
)

// SubtitleTrack asks for a subtitle track. Language, index and all choose as those of AudioTrack.
type SubtitleTrack struct {
	Language string `json:"language"`
	Index    *int   `json:"index"` // among the source's subtitle tracks, from 0
	All      bool   `json:"all"`
	Optional bool   `json:"optional"` // a track that the source lacks is left out with a warning
	Mode     string `json:"mode"`     // keep, convert, burn or extract
	Format   string `json:"format"`   // of modes convert and extract: a codec of text, by ffprobe's name, or srt or vtt
	Title    string `json:"title"`
	Default  bool   `json:"default"` // players show it unasked
	Forced   bool   `json:"forced"`  // of what is said in another language
}

// Modes of a SubtitleTrack.
const (
	SubtitleKeep    = "keep"    // copied; text that the container does not hold becomes what it holds
	SubtitleConvert = "convert" // text in the given format
	SubtitleBurn    = "burn"    // drawn into the picture
	SubtitleExtract = "extract" // text in a file beside the output
)

var (
	subtitleTrackNames = strictjson.Fields[SubtitleTrack]()
	subtitleFormats    = []string{"ass", "mov_text", "srt", "subrip", "vtt", "webvtt"}
	subtitleModes      = []string{SubtitleKeep, SubtitleConvert, SubtitleBurn, SubtitleExtract}
)

// sidecarExtensions are those of the files that subtitles are extracted into, by ffprobe's names.
var sidecarExtensions = map[string]string{"ass": ".ass", "subrip": ".srt", "webvtt": ".vtt"}

// SidecarName returns the name of the file that a track is extracted into, beside the output: the output's, with the
// language or index that chooses the track, and the format's extension.
func (t *SubtitleTrack) SidecarName(output string) string {
	name := strings.TrimSuffix(output, path.Ext(output))
	switch {
	case t.Language != "":
		name += "." + strings.ToLower(t.Language)
	case t.Index != nil:
		name += fmt.Sprintf(".%d", *t.Index)
	}
	return name + sidecarExtensions[t.SidecarCodec()]
}

// SidecarCodec returns ffprobe's name of the format that a track is extracted in.
func (t *SubtitleTrack) SidecarCodec() string { return SubtitleCodec(cmp.Or(t.Format, "srt")) }

// resolveSubtitles applies the list subtitles; the container is known.
func resolveSubtitles(e *Encoding, p Parameters) error {
	err := checkCount("parameters.subtitles", len(p.Subtitles), p.Subtitles == nil, "left out, there are none")
	if err != nil {
		return err
	}
	e.Subtitles = slices.Clone(p.Subtitles)
	var burnt, shown bool
	files := map[string]int{}
	for i := range e.Subtitles {
		t := &e.Subtitles[i]
		at := fmt.Sprintf("parameters.subtitles[%d].", i)
		t.Mode = cmp.Or(t.Mode, SubtitleKeep)
		if err := t.check(at, e); err != nil {
			return err
		}
		switch {
		case t.Mode == SubtitleBurn && burnt:
			return FieldErrorf(at+"mode", "only one track can be burnt in")
		case t.Default && shown:
			return FieldErrorf(at+"default", "only one track can be the default")
		}
		if name := t.SidecarName(""); t.Mode == SubtitleExtract {
			if first, taken := files[name]; taken {
				return FieldErrorf(strings.TrimSuffix(at, "."), "would be extracted to the same file as subtitles[%d]",
					first)
			}
			files[name] = i
		}
		burnt, shown = burnt || t.Mode == SubtitleBurn, shown || t.Default
	}
	return nil
}

func (t *SubtitleTrack) check(at string, e *Encoding) error {
	if err := checkChoice(at, t.Language, t.Index, t.All); err != nil {
		return err
	}
	switch {
	case e.Input == "" || LiveInput(e.Input):
		return FieldErrorf(strings.TrimSuffix(at, "."), "a test pattern or a live input has no subtitles")
	case e.Mode == ToRTMP:
		return FieldErrorf(strings.TrimSuffix(at, "."), "an RTMP output has no subtitles; burn them into a file first")
	case !slices.Contains(subtitleModes, t.Mode):
		return FieldErrorf(at+"mode", "unknown value %q; use %s", t.Mode, either(subtitleModes))
	case t.Mode == SubtitleBurn:
		return cmp.Or(t.checkBurnt(at, e), t.checkNoTrack(at))
	case t.Mode == SubtitleExtract:
		return cmp.Or(t.checkExtracted(at, e), t.checkNoTrack(at))
	}
	return cmp.Or(t.checkFormat(at, e), checkText(at+"title", t.Title, maxTitle))
}

// checkBurnt checks a track that is drawn into the picture.
func (t *SubtitleTrack) checkBurnt(at string, e *Encoding) error {
	switch {
	case e.Copy:
		return FieldErrorf(at+"mode", "scenario remux encodes no picture to burn into; use keep or convert")
	case t.All:
		return FieldErrorf(at+"all", "only one track can be burnt in")
	case t.Format != "":
		return FieldErrorf(at+"format", "requires mode convert or extract")
	}
	return nil
}

// checkExtracted checks a track that becomes a file of its own.
func (t *SubtitleTrack) checkExtracted(at string, e *Encoding) error {
	switch {
	case e.Mode != ToFile:
		return FieldErrorf(at+"mode", "extract writes a file beside the output; it requires output_mode file")
	case t.All:
		return FieldErrorf(at+"all", "each extracted track needs a name; list them by language or index")
	case !slices.Contains(subtitleFormats, t.SidecarCodec()):
		return FieldErrorf(at+"format", "unknown value %q; use srt, vtt or ass", t.Format)
	case sidecarExtensions[t.SidecarCodec()] == "":
		return FieldErrorf(at+"format", "%s is no file of its own; use srt, vtt or ass", t.Format)
	}
	return nil
}

// checkNoTrack refuses what only a track of the output has.
func (t *SubtitleTrack) checkNoTrack(at string) error {
	switch {
	case t.Title != "":
		return FieldErrorf(at+"title", "does not apply to mode %s", t.Mode)
	case t.Default:
		return FieldErrorf(at+"default", "does not apply to mode %s", t.Mode)
	case t.Forced:
		return FieldErrorf(at+"forced", "does not apply to mode %s", t.Mode)
	}
	return nil
}

// checkFormat checks a track that stays one.
func (t *SubtitleTrack) checkFormat(at string, e *Encoding) error {
	c := e.Container()
	if e.Mode == ToNull {
		c = *containerOf(".mkv")
	}
	switch {
	case len(c.Subtitles) == 0:
		return FieldErrorf(at+"mode", "%s output holds no subtitles; use mode burn or extract, or one of %s", e.kind(c),
			extensions(func(c Container) bool { return len(c.Subtitles) > 0 }))
	case t.Mode == SubtitleKeep && t.Format != "":
		return FieldErrorf(at+"format", "requires mode convert or extract")
	case t.Format == "":
		return nil
	case !slices.Contains(subtitleFormats, t.Format):
		return FieldErrorf(at+"format", "unknown value %q; use %s", t.Format, either(subtitleFormats))
	case !slices.Contains(c.Subtitles, SubtitleCodec(t.Format)):
		return FieldErrorf(at+"format", "%s output holds %s", e.kind(c), either(c.Subtitles))
	}
	return nil
}

// SubtitleCodec returns ffprobe's name of a format.
func SubtitleCodec(format string) string {
	switch format {
	case "srt":
		return "subrip"
	case "vtt":
		return "webvtt"
	}
	return format
}

// subtitlesParameter describes the list subtitles and the fields of its objects.
func subtitlesParameter() Parameter {
	p := about("subtitles", "array", streamable, `[{"language":"eng"}]`,
		"subtitles of the output, 1 to 16").
		defaults("none").with(`{"input":"film.mkv"}`)
	p.Fields = append(choiceParameters(streamable),
		about("mode", "string", streamable, `"keep"`,
			"keep: copied, or as the container's text; convert: as format; burn: drawn into the picture; "+
				"extract: into a file beside the output").
			defaults(SubtitleKeep).oneOf(subtitleModes...),
		about("format", "string", streamable, `"mov_text"`,
			"of mode convert, or extract (srt, vtt or ass); srt is subrip, vtt is webvtt").
			defaults("the container's first; extract: srt").with(`{"mode":"convert"}`).oneOf(subtitleFormats...),
		titleParameter(),
		about("default", "boolean", streamable, `true`, "players show it unasked; one track at most").defaults("false"),
		about("forced", "boolean", streamable, `true`, "marks a track of what is said in another language").
			defaults("the source's"))
	return p
}
