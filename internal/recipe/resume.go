package recipe

import (
	"slices"

	"github.com/ffrtmp/ffrtmp"
)

// resumable says how a stream continues after a lost connection. Input and duration are in the arguments.
func (p *Plan) resumable(e ffrtmp.Encoding) {
	if e.Mode != ffrtmp.ToRTMP {
		return
	}
	p.Reconnect, p.Rejoin = e.Reconnect, e.Rejoin
	p.Restart = e.Input != "" && !live(e) && p.SeekAt == 0
	if e.Duration > 0 {
		p.LeftAt = len(p.Args) - 1
	}
}

// live reports whether the input is a live stream, which is joined wherever it is.
func live(e ffrtmp.Encoding) bool { return ffrtmp.LiveInput(e.Input) }

// Resume returns the plan of a stream after its first seconds. Live inputs and test patterns have no position.
func (p Plan) Resume(seconds float64) Plan {
	if p.Restart {
		return p
	}
	p.Args = slices.Clone(p.Args)
	if p.SeekAt > 0 {
		p.Args[p.SeekAt] = number(p.Want.Start + seconds)
	}
	if p.LeftAt > 0 {
		p.Args[p.LeftAt] = number(max(0.001, p.Want.Seconds-seconds))
	}
	return p
}
