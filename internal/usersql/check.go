package usersql

import (
	"strings"

	"github.com/ffrtmp/ffrtmp"
)

// maxExpansion bounds the expansion of common table expressions: SQLite expands each use
// recursively before a query can be interrupted.
const maxExpansion = 1000

// checkSQL rejects anything but a single query, and returns it without its semicolon. It
// tokenizes but does not parse; what it might tokenize differently from SQLite is
// rejected.
func checkSQL(sql string) (string, error) {
	refuse := func(format string, args ...any) (string, error) {
		return "", ffrtmp.FieldErrorf("sql", format, args...)
	}
	words, err := sqlWords(sql)
	if err != nil {
		return refuse("%v", err)
	}
	if n := len(words); n > 0 && words[n-1].is(";") {
		sql, words = sql[:words[n-1].at], words[:n-1]
	}
	if len(words) == 0 {
		return refuse("is empty")
	}
	if first := words[0]; !first.is("select") && !first.is("with") && !first.is("values") {
		return refuse("must be SELECT, WITH … SELECT or VALUES, not %q", first.text)
	}
	depth := 0
	uses := map[string]int{}
	for _, w := range words {
		switch {
		case w.is(";"):
			return refuse("must be a single statement")
		case w.is("("):
			depth++
		case w.is(")"):
			depth--
		case strings.HasPrefix(w.text, "pragma_"):
			return refuse("pragmas are not available")
		}
		if depth < 0 {
			return refuse(`unbalanced ")"`)
		}
		uses[w.text]++
	}
	if depth > 0 {
		return refuse(`unbalanced "("`)
	}
	expansion := 1
	for i := range words {
		if name := defined(words, i); name != "" {
			if expansion *= max(1, uses[name]-1); expansion > maxExpansion {
				return refuse("uses common table expressions too often")
			}
		}
	}
	return sql, nil
}

// defined returns the name of the common table expression whose AS is the word at i,
// or "".
func defined(words []word, i int) string {
	if !words[i].is("as") || i == 0 || i+1 == len(words) {
		return ""
	}
	if next := words[i+1]; !next.is("(") && !next.is("not") && !next.is("materialized") {
		return ""
	}
	name := i - 1
	if words[name].is(")") { // its columns
		for name > 0 && !words[name].is("(") {
			name--
		}
		name--
	}
	if name < 0 {
		return ""
	}
	return words[name].text
}

// word is a lower-case name, number or operator, or a quoted text without its quotes.
type word struct {
	text   string
	quoted bool
	at     int // where it begins
}

func (w word) is(text string) bool { return !w.quoted && w.text == text }

// wordError is a tokenizer error.
type wordError string

func (e wordError) Error() string { return string(e) }

// sqlWords splits SQL into words. Comments are left out.
func sqlWords(sql string) ([]word, error) {
	var words []word
	for i := 0; i < len(sql); {
		c := sql[i]
		rest := sql[i:]
		switch {
		case strings.ContainsRune(" \t\n\f\r", rune(c)):
			i++
		case strings.HasPrefix(rest, "--"):
			n := strings.IndexByte(rest, '\n')
			if n < 0 {
				return words, nil
			}
			i += n + 1
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/")
			if n < 0 {
				return nil, wordError("unterminated comment")
			}
			i += n + 4
		case c == '\'' || c == '"' || c == '`' || c == '[':
			n, text := quoted(rest)
			if n == 0 {
				return nil, wordError("unterminated quote")
			}
			words = append(words, word{text, true, i})
			i += n
		case isWord(c):
			n := 1
			for n < len(rest) && isWord(rest[n]) {
				n++
			}
			words = append(words, word{strings.ToLower(rest[:n]), false, i})
			i += n
		case strings.IndexByte("()*,.;+-/%<>=!|&~", c) >= 0:
			words = append(words, word{string(c), false, i})
			i++
		default:
			return nil, wordError("unexpected character " + strings.ToValidUTF8(string(rune(c)), "?") +
				" outside quotes; parameters are not supported")
		}
	}
	return words, nil
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// quoted returns the quoted text at the start of s and its length, 0 if it is
// unterminated.
func quoted(s string) (int, string) {
	end := s[0]
	if end == '[' {
		n := strings.IndexByte(s, ']')
		if n < 0 {
			return 0, ""
		}
		return n + 1, strings.ToLower(s[1:n])
	}
	for i := 1; i < len(s); i++ {
		if s[i] != end {
			continue
		}
		if i+1 < len(s) && s[i+1] == end {
			i++
			continue
		}
		double := string([]byte{end, end})
		return i + 1, strings.ToLower(strings.ReplaceAll(s[1:i], double, string(end)))
	}
	return 0, ""
}
