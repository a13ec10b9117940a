package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

func templateFunctions() template.FuncMap {
	return template.FuncMap{
		"ago": ago, "iso": iso, "span": span, "seconds": seconds, "bytes": size,
		"count": count, "number": number, "title": title, "words": words, "labels": labels,
		"indent": indent, "join": strings.Join, "scopes": ffrtmp.JoinScopes, "dict": dict, "list": list,
		"percent": percent, "lower": strings.ToLower, "short": short, "plural": plural,
		"value": value, "stream": streamWords,
		"signed": func(n uint64) int64 { return int64(min(n, math.MaxInt64)) },
	}
}

// ago is how long ago a time was, in words; app.js keeps it current.
func ago(t time.Time) string {
	d := time.Since(t)
	switch {
	case t.IsZero():
		return "never"
	case d < -time.Minute:
		return "in " + span(-d)
	case d < 5*time.Second:
		return "just now"
	}
	return span(d) + " ago"
}

func iso(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// span is a duration to two digits or so: 42s, 3m 05s, 2h 10m, 4d.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Second:
		return strconv.Itoa(int(d.Milliseconds())) + "ms"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + "s"
	case d < time.Hour:
		return fmt.Sprintf("%dm %02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh %02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return strconv.Itoa(int(d.Hours()/24)) + "d"
}

func seconds(s float64) string { return span(time.Duration(s * float64(time.Second))) }

// size is a number of bytes with a unit.
func size(n int64) string {
	const unit = 1024
	if n < unit {
		return strconv.FormatInt(n, 10) + " B"
	}
	exponent := min(int(math.Log(float64(n))/math.Log(unit)), 6)
	return fmt.Sprintf("%.1f %ciB", float64(n)/math.Pow(unit, float64(exponent)), "KMGTPE"[exponent-1])
}

// count is a number with commas.
func count(n any) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// number is a fraction without needless digits.
func number(f float64) string {
	if f >= 100 {
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
}

// words turns a value such as node_lost into words.
func words(v any) string { return strings.ReplaceAll(fmt.Sprint(v), "_", " ") }

// title is words with a capital letter.
func title(v any) string {
	text := words(v)
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// labels lists labels in the order of their keys.
func labels(m map[string]string) []string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, k+"="+m[k])
	}
	return list
}

// indent formats JSON for reading.
func indent(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}

// dict is a map for a nested template.
func dict(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m
}

// percent is a share of 100.
func percent(part, whole int) int {
	if whole <= 0 {
		return 0
	}
	return min(100, part*100/whole)
}

// short is the end of an id, enough to recognise it: ids made at one time begin alike.
func short(id string) string { return id[max(0, len(id)-8):] }

// plural is a number with a noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

// list is its arguments.
func list(items ...string) []string { return items }

// value is a value of a query's result.
func value(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
