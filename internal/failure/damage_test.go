package failure

import (
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// Errors while decoding are counted, repeated ones too; what only looks like one is not.
func TestDamage_Count(t *testing.T) {
	for name, c := range map[string]struct {
		log   string
		count int
		first string
	}{
		"none": {"  Duration: 00:00:01.00\nframe=   25 fps=0.0\nLast message repeated 3 times", 0, ""},
		"metadata": {
			"    title           : Error while decoding stream #0:0\nInput #0, mp4, from 'corrupt decoded frame':",
			0, "",
		},
		"h264": {
			"[h264 @ 0x55ca969144c0] error while decoding MB 1 2, bytestream 689\n" +
				"file:/proc/self/fd/4: corrupt decoded frame in stream 0\n    Last message repeated 4 times\n" +
				"frame=  2\n    Last message repeated 9 times",
			6, "error while decoding MB 1 2, bytestream 689",
		},
		"aac": {"Error while decoding stream #0:1: Invalid data found when processing", 1, "Error while decoding"},
		"ts":  {"[mpegts @ 0x561eb78698c0] Packet corrupt (stream = 0, dts = 133500).", 1, "Packet corrupt"},
		"mkv": {"[matroska @ 0x5] 0x00 at pos 2 (0x2) invalid as first byte of an EBML number", 1, "0x00 at"},
	} {
		var d Damage
		for line := range strings.SplitSeq(c.log, "\n") {
			d.Take(line)
		}
		if d.Count != c.count || !strings.Contains(d.First, c.first) {
			t.Errorf("%s: got %+v, want %d, first %q", name, d, c.count, c.first)
		}
	}
	d := Damage{Count: 2, First: "x"}
	if err := d.Failure(); err.Reason != ffrtmp.UserError || !strings.Contains(err.Error(), "2 errors") {
		t.Errorf("got %v, want a user error with the count", err)
	}
}
