package cli

import (
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// Terminal describes where output goes. The zero value is a file or a pipe.
type Terminal struct {
	file   *os.File // nil unless it is a terminal
	colour bool
}

// NewTerminal describes w. env are the variables of the environment: NO_COLOR and TERM=dumb switch colours off.
func NewTerminal(w io.Writer, env map[string]string) Terminal {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return Terminal{}
	}
	return Terminal{file: f, colour: env["NO_COLOR"] == "" && env["TERM"] != "dumb"}
}

// Interactive reports whether it is a terminal.
func (t Terminal) Interactive() bool { return t.file != nil }

// Width returns the number of columns, or 0 without a limit.
func (t Terminal) Width() int {
	if t.file == nil {
		return 0
	}
	width, _, err := term.GetSize(int(t.file.Fd()))
	if err != nil || width == 0 {
		return 80
	}
	return width
}

// Colour is an SGR parameter; the zero value leaves text as it is.
type Colour string

// The colours in use.
const (
	Red     Colour = "31"
	Green   Colour = "32"
	Yellow  Colour = "33"
	Blue    Colour = "34"
	Magenta Colour = "35"
	Cyan    Colour = "36"
	Faint   Colour = "2"
	Bold    Colour = "1"
)

// Paint returns s in a colour, where the terminal has colours.
func (t Terminal) Paint(c Colour, s string) string {
	if c == "" || s == "" || !t.colour {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}

// Printable makes foreign text (a node's name, an error of ffmpeg) safe to show on one line: control characters
// become question marks.
func Printable(s string) string {
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

// PrintableLog is Printable for text of many lines: it drops control characters.
func PrintableLog(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ReplaceAll(s, "\r", "\n"))
}
