package recipe

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/ffrtmp/ffrtmp"
)

// passes makes the plan one of two passes, if the encoding asks for that. The video's arguments are complete. The first
// pass encodes video alone and discards it. Its muxer is the second's: which frames of a source with odd timestamps are
// dropped depends on that.
func (p *Plan) passes(e ffrtmp.Encoding, s *Source) {
	if !e.TwoPass {
		return
	}
	muxer, output := "null", "-"
	if e.Mode == ffrtmp.ToFile {
		muxer, output = e.Container().Muxer, "/dev/null"
	}
	p.First = slices.Concat(p.Args, pass(1, e), []string{"-an"}, trim(e, s), []string{"-f", muxer, output})
	p.add(pass(2, e)...)
}

func pass(n int, e ffrtmp.Encoding) []string {
	log := fmt.Sprintf("/proc/self/fd/%d/pass", PassFD)
	if e.Encoder == "libx265" { // which ignores -pass
		return []string{"-x265-params", "pass=" + strconv.Itoa(n) + ":stats=" + log}
	}
	return []string{"-pass", strconv.Itoa(n), "-passlogfile", log}
}

// Pass returns the plan of one of a plan's two passes, which is complete in itself. The first makes no file.
func (p Plan) Pass(first bool) Plan {
	if first {
		p.Args, p.Work, p.Sidecars = p.First, nil, nil
	}
	return p
}
