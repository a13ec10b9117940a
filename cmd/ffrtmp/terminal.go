package main

import (
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// terminal is what is known of the place that output goes to. The zero value is
// a file or a pipe.
type terminal struct {
	file   *os.File // nil when it is no terminal
	colour bool
}

func (c *cli) terminal(w io.Writer) terminal {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return terminal{}
	}
	return terminal{file: f, colour: c.env["NO_COLOR"] == "" && c.env["TERM"] != "dumb"}
}

func (t terminal) is() bool { return t.file != nil }

// width is the number of columns, 0 when there is no limit.
func (t terminal) width() int {
	if t.file == nil {
		return 0
	}
	width, _, err := term.GetSize(int(t.file.Fd()))
	if err != nil || width == 0 {
		return 80
	}
	return width
}

// colour is an SGR parameter; the zero value leaves text as it is.
type colour string

const (
	red     colour = "31"
	green   colour = "32"
	yellow  colour = "33"
	blue    colour = "34"
	magenta colour = "35"
	cyan    colour = "36"
	faint   colour = "2"
	bold    colour = "1"
)

func (t terminal) paint(c colour, s string) string {
	if c == "" || s == "" || !t.colour {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}

// printable makes foreign text (a node's name, ffmpeg's words) safe to show on one
// line: what steers a terminal is shown as a question mark.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r) || !unicode.IsPrint(r) && !unicode.IsSpace(r):
			return '?'
		}
		return r
	}, s)
}

// printableLog is printable for text of many lines.
func printableLog(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ReplaceAll(s, "\r", "\n"))
}
