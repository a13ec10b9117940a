package usersql

import (
	"strings"

	"github.com/ffrtmp/ffrtmp"
)

// maxExpansion bounds how often SQLite has to write out common table expressions:
// each use of one writes out all that it uses itself, before anything can be
// interrupted.
const maxExpansion = 1000

// checkSQL refuses what is not one single query, and returns it without a semicolon.
// It reads words, not grammar, which is SQLite's; where it might read a text in
// another way than SQLite, it refuses.
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
		return refuse("only SELECT, WITH … SELECT and VALUES can be asked, not %q", first.text)
	}
	depth := 0
	uses := map[string]int{}
	for _, w := range words {
		switch {
		case w.is(";"):
			return refuse("is more than one statement")
		case w.is("("):
			depth++
		case w.is(")"):
			depth--
		case strings.HasPrefix(w.text, "pragma_"):
			return refuse("pragmas are not available")
		}
		if depth < 0 {
			return refuse("has a ) too many")
		}
		uses[w.text]++
	}
	if depth > 0 {
		return refuse("has a ( too many")
	}
	expansion := 1
	for i := range words {
		if name := defined(words, i); name != "" {
			if expansion *= max(1, uses[name]-1); expansion > maxExpansion {
				return refuse("uses its common table expressions too often")
			}
		}
	}
	return sql, nil
}

// defined returns the name that a common table expression has whose AS is the word
// at i, or "".
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

// word is a name, a quoted text without its quotes, a number or a sign, in lower case.
type word struct {
	text   string
	quoted bool
	at     int // where it begins
}

func (w word) is(text string) bool { return !w.quoted && w.text == text }

// wordError says why a text cannot be read as words.
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
				return nil, wordError("has a comment without an end")
			}
			i += n + 4
		case c == '\'' || c == '"' || c == '`' || c == '[':
			n, text := quoted(rest)
			if n == 0 {
				return nil, wordError("has a quote without an end")
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
			return nil, wordError("has the sign " + strings.ToValidUTF8(string(rune(c)),
				"?") + " outside of quotes; a query has no parameters")
		}
	}
	return words, nil
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// quoted returns the length of the quoted text that s begins with, 0 when it has no
// end, and the text.
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
