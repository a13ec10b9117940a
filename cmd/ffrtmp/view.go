package main

import (
	"fmt"
	"io"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// view returns what suits the output: a bar redrawn in place on a terminal, lines
// elsewhere, nothing beside a JSON document.
func (c *cli) view() view {
	term := c.terminal(c.out)
	switch {
	case c.settings.format == formatJSON:
		return noView{}
	case term.is():
		return &barView{out: c.out, term: term}
	}
	return &lineView{out: c.out}
}

type noView struct{}

func (noView) show(sighting)      {}
func (noView) tick(time.Duration) {}
func (noView) note(string)        {}
func (noView) end()               {}

// barView redraws one line.
type barView struct {
	out   io.Writer
	term  terminal
	last  sighting
	drawn bool
}

const eraseLine = "\r\x1b[K"

func (v *barView) show(s sighting) {
	v.last, v.drawn = s, true
	v.draw(0)
}

func (v *barView) tick(silent time.Duration) { v.draw(silent) }

func (v *barView) draw(silent time.Duration) {
	// Room for the ^C that a terminal echoes: a wrapped line cannot be redrawn.
	text := barLine(v.last, silent, v.term.width()-3)
	if !v.drawn {
		text = "Waiting for an answer..."
	}
	fmt.Fprint(v.out, eraseLine+text)
}

func (v *barView) note(text string) {
	fmt.Fprint(v.out, eraseLine+v.term.paint(faint, printable(text))+"\n")
	v.draw(0)
}

func (v *barView) end() {
	if v.drawn {
		v.draw(0)
	}
	fmt.Fprint(v.out, "\n")
}

const (
	lineEvery = 10 * time.Second
	lineStep  = 10 // per cent
)

// lineView prints a line when something happened: another state, attempt or
// reason to wait, or enough progress or time.
type lineView struct {
	out     io.Writer
	state   string
	percent int
	at      time.Time
	quiet   bool // has been told
}

func (v *lineView) show(s sighting) {
	state := fmt.Sprint(s.job.Status, s.job.Attempt, phase(s.job), s.why.Summary)
	v.quiet = false
	if s.job.Status.Terminal() {
		return
	}
	if state == v.state && s.job.Progress < v.percent+lineStep && time.Since(v.at) < lineEvery {
		return
	}
	v.state, v.percent, v.at = state, s.job.Progress, time.Now()
	v.note(textLine(s))
}

func (v *lineView) tick(silent time.Duration) {
	if silent >= silence && !v.quiet {
		v.quiet = true
		v.note("no answer from the masters for " + span(silent) + ", still trying")
	}
}

func (v *lineView) note(text string) { fmt.Fprintln(v.out, printable(text)) }

func (v *lineView) end() {}

func phase(j ffrtmp.Job) string {
	if j.ProgressDetail == nil {
		return ""
	}
	return j.ProgressDetail.Phase
}
