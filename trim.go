package ffrtmp

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Scalar is a parameter that takes a number or a string, undecoded. null means not given.
type Scalar struct{ json.RawMessage }

func (s Scalar) given() bool { return len(s.RawMessage) > 0 && string(s.RawMessage) != "null" }

// timeForm is a position in an input: seconds, minutes and seconds, or hours, minutes and seconds.
var timeForm = regexp.MustCompile(`^(?:(?:\d{1,3}:)?[0-5]?\d:[0-5]?\d|\d{1,7})(?:\.\d{1,6})?$`)

// minTrimSeconds is the least distance of start and end.
const minTrimSeconds = 0.001

// resolveTrim applies start and end. A job has either an end or a duration.
func resolveTrim(e *Encoding, p Parameters) error {
	start, _, err := position("parameters.start", p.Start)
	if err != nil {
		return err
	}
	e.Start = start
	end, ends, err := position("parameters.end", p.End)
	if err != nil {
		return err
	}
	switch {
	case (ends || start > 0) && LiveInput(p.Input):
		return FieldErrorf("parameters.start", "a live input begins when the job does; set duration")
	case !ends:
		return nil
	case p.Duration != nil || p.DurationSeconds != nil:
		return FieldErrorf("parameters.end", "excludes duration")
	case end < start+minTrimSeconds:
		return FieldErrorf("parameters.end", "must be after start (%s s), not %s s", number(start), number(end))
	}
	e.Duration = math.Round((end-start)*1e6) / 1e6
	return nil
}

// position decodes a position: a number of seconds, or a string of timeForm.
func position(field string, s Scalar) (seconds float64, ok bool, err error) {
	if !s.given() {
		return 0, false, nil
	}
	if text := ""; json.Unmarshal(s.RawMessage, &text) == nil {
		if !timeForm.MatchString(text) {
			return 0, false, FieldErrorf(field, "%q is not seconds or HH:MM:SS.mmm, such as 90.5 or 00:01:30.500", text)
		}
		for part := range strings.SplitSeq(text, ":") {
			n, err := strconv.ParseFloat(part, 64)
			if err != nil {
				return 0, false, FieldErrorf(field, "%q: %v", text, err)
			}
			seconds = 60*seconds + n
		}
	} else if json.Unmarshal(s.RawMessage, &seconds) != nil {
		return 0, false, FieldErrorf(field, "must be a number of seconds, or HH:MM:SS.mmm")
	}
	if !(seconds >= 0 && seconds <= maxDurationSeconds) {
		return 0, false, FieldErrorf(field, "must be between 0 and %d seconds", maxDurationSeconds)
	}
	return math.Round(seconds*1e6) / 1e6, true, nil // ffmpeg counts microseconds
}
