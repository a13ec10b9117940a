package ffrtmp

import (
	"cmp"
	"fmt"
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
	Mode     string `json:"mode"`     // keep, convert or burn
	Format   string `json:"format"`   // of mode convert: a codec of text, by ffprobe's name, or srt
	Title    string `json:"title"`
	Default  bool   `json:"default"` // players show it unasked
	Forced   bool   `json:"forced"`  // of what is said in another language
}

// Modes of a SubtitleTrack.
const (
	SubtitleKeep    = "keep"    // copied; text that the container does not hold becomes what it holds
	SubtitleConvert = "convert" // text in the given format
	SubtitleBurn    = "burn"    // drawn into the picture
)

var (
	subtitleTrackNames = strictjson.Fields[SubtitleTrack]()
	subtitleFormats    = []string{"ass", "mov_text", "srt", "subrip", "webvtt"}
)

// resolveSubtitles applies the list subtitles; the container is known.
func resolveSubtitles(e *Encoding, p Parameters) error {
	err := checkCount("parameters.subtitles", len(p.Subtitles), p.Subtitles == nil, "left out, there are none")
	if err != nil {
		return err
	}
	e.Subtitles = slices.Clone(p.Subtitles)
	var burnt, shown bool
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
	case !slices.Contains([]string{SubtitleKeep, SubtitleConvert, SubtitleBurn}, t.Mode):
		return FieldErrorf(at+"mode", "unknown value %q; use keep, convert or burn", t.Mode)
	case t.Mode == SubtitleBurn:
		return cmp.Or(t.checkBurnt(at, e), checkText(at+"title", t.Title, maxTitle))
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
		return FieldErrorf(at+"format", "requires mode convert")
	case t.Title != "":
		return FieldErrorf(at+"title", "does not apply to mode burn")
	case t.Default:
		return FieldErrorf(at+"default", "does not apply to mode burn")
	case t.Forced:
		return FieldErrorf(at+"forced", "does not apply to mode burn")
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
		return FieldErrorf(at+"mode", "%s output holds no subtitles; use mode burn, or one of %s", e.kind(c),
			extensions(func(c Container) bool { return len(c.Subtitles) > 0 }))
	case t.Mode == SubtitleKeep && t.Format != "":
		return FieldErrorf(at+"format", "requires mode convert")
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
	if format == "srt" {
		return "subrip"
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
			"keep: copied, or as the container's text; convert: as format; burn: drawn into the picture").
			defaults(SubtitleKeep).oneOf(SubtitleKeep, SubtitleConvert, SubtitleBurn),
		about("format", "string", streamable, `"mov_text"`, "of mode convert; srt is subrip").
			defaults("the container's first").with(`{"mode":"convert"}`).oneOf(subtitleFormats...),
		titleParameter(),
		about("default", "boolean", streamable, `true`, "players show it unasked; one track at most").defaults("false"),
		about("forced", "boolean", streamable, `true`, "marks a track of what is said in another language").
			defaults("the source's"))
	return p
}
