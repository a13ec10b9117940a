package strictjson

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// maxDepth bounds the nesting of documents that are scanned here. Each level is read
// once for every level around it.
const maxDepth = 32

// scanner reads a document without decoding it. Of a malformed one it finds out little:
// what it returns means something only if encoding/json accepts the document.
type scanner struct {
	data []byte
	at   int
	bad  bool
}

// next skips white space and returns the byte after it, or 0.
func (s *scanner) next() byte {
	for s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// skip skips white space and c, if c follows.
func (s *scanner) skip(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) fail() {
	s.bad, s.at = true, len(s.data)
}

// value returns the next value as it is written.
func (s *scanner) value() []byte {
	c := s.next()
	start := s.at
	switch c {
	case 0:
		s.fail()
	case '"':
		s.string()
	case '{', '[':
		s.nested()
	default:
		for s.at < len(s.data) && !isDelimiter(s.data[s.at]) {
			s.at++
		}
		if s.at == start {
			s.fail()
		}
	}
	return s.data[min(start, s.at):s.at]
}

func isDelimiter(c byte) bool {
	switch c {
	case ' ', '\t', '\n', '\r', ',', ':', '{', '}', '[', ']', '"':
		return true
	}
	return false
}

// string skips a string. A quote ends it unless an odd number of backslashes precede it.
func (s *scanner) string() {
	for i := s.at + 1; ; {
		n := bytes.IndexByte(s.data[i:], '"')
		if n < 0 {
			s.fail()
			return
		}
		i += n
		escapes := 0
		for s.data[i-1-escapes] == '\\' {
			escapes++
		}
		if i++; escapes%2 == 0 {
			s.at = i
			return
		}
	}
}

// nested skips an array or object.
func (s *scanner) nested() {
	for depth := 0; s.at < len(s.data); {
		switch s.data[s.at] {
		case '"':
			s.string()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.at++
		if depth == 0 {
			return
		}
	}
	s.fail()
}

// members calls do for each member of an object.
func (s *scanner) members(do func(name string, value []byte)) {
	if !s.skip('{') {
		s.fail()
		return
	}
	if s.skip('}') {
		return
	}
	for !s.bad {
		if s.next() != '"' {
			s.fail()
			return
		}
		name := text(s.value())
		if !s.skip(':') {
			s.fail()
			return
		}
		do(name, s.value())
		if s.skip('}') {
			return
		}
		if !s.skip(',') {
			s.fail()
		}
	}
}

// text returns what a string says.
func text(quoted []byte) string {
	if len(quoted) < 2 {
		return ""
	}
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var s string
	_ = json.Unmarshal(quoted, &s) // an error means that the document is refused
	return s
}

// AppendCanonical appends a form of the document to b that two documents share only if
// encoding/json decodes both to the same value, whatever the spacing, the escapes and the order of
// fields; numbers are equal if they are written in the same way. It reports whether
// that was possible: the document may be malformed, or nested too deeply.
func AppendCanonical(b, data []byte) ([]byte, bool) {
	s := scanner{data: data}
	b = s.canonical(b, s.value(), maxDepth)
	return b, !s.bad && s.next() == 0 && s.at == len(data)
}

func (s *scanner) canonical(b, value []byte, depth int) []byte {
	inner := scanner{data: value}
	switch {
	case len(value) == 0 || depth == 0:
		s.bad = true
	case value[0] == '"':
		b = appendText(append(b, '"'), text(value))
	case value[0] == '{':
		b = inner.canonicalObject(b, depth)
	case value[0] == '[':
		b = inner.canonicalArray(b, depth)
	default:
		b = append(append(b, value...), ' ')
	}
	s.bad = s.bad || inner.bad
	return b
}

// appendText appends a string with its length, so that none can look like another.
func appendText(b []byte, s string) []byte {
	return append(append(strconv.AppendInt(b, int64(len(s)), 10), ':'), s...)
}

type member struct {
	name  string
	value []byte
}

func (s *scanner) canonicalObject(b []byte, depth int) []byte {
	var list []member
	s.members(func(name string, value []byte) { list = append(list, member{name, value}) })
	slices.SortStableFunc(list, func(a, b member) int { return strings.Compare(a.name, b.name) })
	b = append(b, '{')
	for i, m := range list {
		if i+1 < len(list) && list[i+1].name == m.name {
			continue // the last one counts
		}
		b = s.canonical(appendText(b, m.name), m.value, depth-1)
	}
	return append(b, '}')
}

func (s *scanner) canonicalArray(b []byte, depth int) []byte {
	b = append(b, '[')
	s.at++
	for first := true; !s.skip(']'); first = false {
		if !first && !s.skip(',') || s.next() == 0 {
			s.fail()
			return b
		}
		b = s.canonical(b, s.value(), depth-1)
	}
	return append(b, ']')
}

// fields returns the fields of an object that encoding/json has accepted; of another
// value it returns none.
func fields(data []byte) map[string]json.RawMessage {
	s := scanner{data: data}
	if s.next() != '{' {
		return nil
	}
	found := map[string]json.RawMessage{}
	s.members(func(name string, value []byte) { found[name] = value })
	return found
}
