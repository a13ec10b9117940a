package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// Observation is a job as it was last seen.
type Observation struct {
	Job    ffrtmp.Job
	Why    ffrtmp.Explanation // of a pending job; zero when it is not known
	Leader string             // API URL, "" when not known
}

// JobView shows observations as they come.
type JobView interface {
	Show(o Observation)
	// Tick is called about once a second with the time since the last observation, and when the terminal has
	// changed its size.
	Tick(silent time.Duration)
	Note(text string)
	// End leaves the cursor on a line of its own.
	End()
}

// NewJobView returns what suits the output: a bar redrawn in place on a terminal, lines elsewhere, nothing beside a
// JSON document.
func NewJobView(out io.Writer, term Terminal, format Format) JobView {
	switch {
	case format == FormatJSON:
		return noView{}
	case term.Interactive():
		return &barView{out: out, term: term}
	}
	return &lineView{out: out}
}

type noView struct{}

func (noView) Show(Observation)   {}
func (noView) Tick(time.Duration) {}
func (noView) Note(string)        {}
func (noView) End()               {}

// barView redraws one line.
type barView struct {
	out   io.Writer
	term  Terminal
	last  Observation
	drawn bool
}

const eraseLine = "\r\x1b[K"

func (v *barView) Show(o Observation) {
	v.last, v.drawn = o, true
	v.draw(0)
}

func (v *barView) Tick(silent time.Duration) { v.draw(silent) }

func (v *barView) draw(silent time.Duration) {
	// Three columns stay free for the ^C that a terminal echoes: a wrapped line cannot be redrawn.
	text := progressLine(v.last, silent, v.term.Width()-3)
	if !v.drawn {
		text = "Waiting for an answer..."
	}
	fmt.Fprint(v.out, eraseLine+text)
}

func (v *barView) Note(text string) {
	fmt.Fprint(v.out, eraseLine+v.term.Paint(Faint, Printable(text))+"\n")
	v.draw(0)
}

func (v *barView) End() {
	if v.drawn {
		v.draw(0)
	}
	fmt.Fprint(v.out, "\n")
}

const (
	lineEvery = 10 * time.Second
	lineStep  = 10 // per cent
)

// lineView prints a line when the state, the attempt or the reason to wait changes, or after enough progress or time.
type lineView struct {
	out     io.Writer
	state   string
	percent int
	at      time.Time
	quiet   bool // the silence has been reported
}

func (v *lineView) Show(o Observation) {
	state := fmt.Sprint(o.Job.Status, o.Job.Attempt, phase(o.Job), o.Why.Summary)
	v.quiet = false
	if o.Job.Status.Terminal() {
		return
	}
	if state == v.state && o.Job.Progress < v.percent+lineStep && time.Since(v.at) < lineEvery {
		return
	}
	v.state, v.percent, v.at = state, o.Job.Progress, time.Now()
	v.Note(textLine(o))
}

func (v *lineView) Tick(silent time.Duration) {
	if silent >= silence && !v.quiet {
		v.quiet = true
		v.Note("no answer from the masters for " + Span(silent) + ", retrying")
	}
}

func (v *lineView) Note(text string) { fmt.Fprintln(v.out, Printable(text)) }

func (v *lineView) End() {}

func phase(j ffrtmp.Job) string {
	if j.ProgressDetail == nil {
		return ""
	}
	return j.ProgressDetail.Phase
}
