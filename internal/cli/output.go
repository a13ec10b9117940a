package cli

import (
	"encoding/json"
	"fmt"
	"io"
)

// HumanWriter writes itself as text for a terminal, as opposed to JSON for a program.
type HumanWriter interface {
	WriteHuman(w io.Writer, term Terminal) error
}

// WriteHuman writes parts with an empty line between them.
func WriteHuman(w io.Writer, term Terminal, parts ...HumanWriter) error {
	for i, p := range parts {
		if i > 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		if err := p.WriteHuman(w, term); err != nil {
			return err
		}
	}
	return nil
}

// WriteJSON writes one indented document.
func WriteJSON(w io.Writer, document any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(document)
}

// Lines is text, line by line.
type Lines []string

// WriteHuman implements HumanWriter.
func (l Lines) WriteHuman(w io.Writer, term Terminal) error {
	for _, s := range l {
		if err := Line(s).WriteHuman(w, term); err != nil {
			return err
		}
	}
	return nil
}

// Line is a line of text.
type Line string

// WriteHuman implements HumanWriter.
func (l Line) WriteHuman(w io.Writer, _ Terminal) error {
	_, err := fmt.Fprintln(w, string(l))
	return err
}
