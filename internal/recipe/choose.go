package recipe

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/text/language"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
)

// choice is how a job chooses tracks of one type from the source.
type choice struct {
	field    string // of the job, such as audio[0]
	kind     string // codec_type: audio or subtitle
	language string
	index    *int
	all      bool
	optional bool
}

// track is a track of the source.
type track struct {
	index  int             // among those of its type; -1: unknown
	from   string          // for -map
	stream *ffprobe.Stream // nil: unknown
}

// choose returns what a job has chosen. If the source lacks it, that is a user error, or for an optional track the
// warning.
func (s *Source) choose(c choice) (chosen []track, warning string, err error) {
	if s == nil {
		return []track{c.unseen()}, "", nil
	}
	tracks := s.tracks(c.kind)
	plain := c.language == "" && c.index == nil
	for _, t := range tracks {
		switch {
		case c.all, c.index != nil && *c.index == t.index, c.language != "" && inLanguage(t.stream, c.language),
			plain && t.index == 0:
			chosen = append(chosen, t)
		}
		if len(chosen) > 0 && !c.all {
			break
		}
	}
	switch {
	case len(chosen) > 0:
		return chosen, "", nil
	case c.optional || plain && c.kind == "audio":
		return nil, c.missing(tracks), nil
	}
	return nil, "", failure.Errorf(ffrtmp.UserError, "%s; choose one of these, or set optional", c.missing(tracks))
}

// unseen returns the choice of a source that nobody has looked at.
func (c choice) unseen() track {
	specifier := "0:" + c.kind[:1] + ":"
	switch {
	case c.language != "":
		return track{index: -1, from: specifier + "m:language:" + c.language}
	case c.index != nil:
		return track{index: *c.index, from: specifier + strconv.Itoa(*c.index)}
	}
	return track{from: specifier + "0?"}
}

// missing says what the source lacks and has.
func (c choice) missing(has []track) string {
	what := fmt.Sprintf("%s: the input has no %s track", c.field, c.kind)
	switch {
	case c.language != "":
		what += " in language " + c.language
	case c.index != nil:
		what += " " + strconv.Itoa(*c.index)
	}
	if len(has) == 0 {
		return what
	}
	var list []string
	for _, t := range has {
		list = append(list, t.String())
	}
	return what + "; it has " + strings.Join(list, ", ")
}

// String describes a track: 1 (deu, ac3).
func (t track) String() string {
	name := t.stream.Codec
	if name == "" {
		name = "unknown codec"
	}
	if l := t.stream.Tags.Language; l != "" && l != "und" {
		name = l + ", " + name
	}
	return fmt.Sprintf("%d (%s)", t.index, name)
}

// tracks returns the source's streams of a type.
func (s *Source) tracks(kind string) []track {
	var list []track
	for i := range s.Streams {
		if stream := &s.Streams[i]; stream.Type == kind {
			n := len(list)
			list = append(list, track{n, fmt.Sprintf("0:%s:%d", kind[:1], n), stream})
		}
	}
	return list
}

// inLanguage compares ISO 639 codes: de, deu and ger are the same. A regional code is one of its language.
func inLanguage(s *ffprobe.Stream, wanted string) bool {
	base, _, _ := strings.Cut(s.Tags.Language, "-")
	return iso639(base) == iso639(wanted)
}

// iso639 returns a language's code of three letters, und for none, and an unknown one in lower case.
func iso639(code string) string {
	code = strings.ToLower(code)
	if code == "" {
		return "und"
	}
	if terminology, ok := bibliographic[code]; ok {
		return terminology
	}
	base, err := language.ParseBase(code)
	if err != nil {
		return code
	}
	return base.ISO3()
}

// bibliographic are the languages that have two codes of three letters; discs and Matroska use the one on the left.
var bibliographic = map[string]string{
	"alb": "sqi", "arm": "hye", "baq": "eus", "bur": "mya", "chi": "zho", "cze": "ces", "dut": "nld", "fre": "fra",
	"geo": "kat", "ger": "deu", "gre": "ell", "ice": "isl", "mac": "mkd", "mao": "mri", "may": "msa", "per": "fas",
	"rum": "ron", "slo": "slk", "tib": "bod", "wel": "cym",
}
