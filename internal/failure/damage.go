package failure

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/ffrtmp/ffrtmp"
)

// Damage counts what ffmpeg reports of a source that it cannot decode without errors.
type Damage struct {
	Count int
	First string // the first message
	last  bool   // the last line was one
}

var (
	decodeError = regexp.MustCompile(`Error while decoding stream #|Error submitting packet to decoder|` +
		`error while decoding MB|Decoding error: |corrupt decoded frame|[Cc]orrupt input packet|Packet corrupt|` +
		`Invalid NAL unit|missing picture in access unit|Could not find ref with POC|` +
		`Error (submitting|parsing) .*(packet|NAL)|invalid as first byte of an EBML number`)
	repeated = regexp.MustCompile(`^\s*Last message repeated (\d+) times`)
)

// Take reads one line of ffmpeg's log.
func (d *Damage) Take(line string) {
	if m := repeated.FindStringSubmatch(line); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil && d.last {
			d.Count += n
		}
		return
	}
	d.last = decodeError.MatchString(line) && !described.MatchString(line)
	if !d.last {
		return
	}
	if d.Count == 0 {
		d.First = Clean(line)
	}
	d.Count++
}

// String describes the damage in a sentence.
func (d *Damage) String() string {
	return fmt.Sprintf("the input is damaged: ffmpeg reported %d errors while decoding it (first: %s)", d.Count,
		d.First)
}

// Failure is the damage as the reason why a strict job fails.
func (d *Damage) Failure() *Error { return Errorf(ffrtmp.UserError, "%s", d.String()) }
