package v22

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// layouts are the formats of times in v2.2 databases: that of its SQLite driver, RFC 3339,
// that of SQLite itself, and those of PostgreSQL.
var layouts = []string{
	"2006-01-02 15:04:05Z07:00", time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04:05Z07", "2006-01-02T15:04:05",
}

// time reads a column; "" is the zero time.
func (r record) time(column string) (time.Time, error) {
	text := r[column]
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	if t, ok := unixSeconds(text); ok {
		return t, nil
	}
	return time.Time{}, ffrtmp.FieldErrorf(column, "invalid time %q: neither a date and time nor Unix seconds", text)
}

// lastSecond is the last of the year 2200: a larger number does not count seconds.
const lastSecond = 7289654399

// unixSeconds reads seconds since 1970, with a fraction or without; 0 is the zero time.
func unixSeconds(text string) (time.Time, bool) {
	seconds, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || !(seconds >= 0 && seconds <= lastSecond):
		return time.Time{}, false
	case seconds == 0:
		return time.Time{}, true
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC(), true
}

// int reads a column; "" is 0.
func (r record) int(column string) (int64, error) {
	if r[column] == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(r[column], 10, 64)
	if err != nil {
		return 0, ffrtmp.FieldErrorf(column, "invalid integer %q", r[column])
	}
	return n, nil
}

// json decodes a column into v; "" leaves v unchanged.
func (r record) json(column string, v any) error {
	if r[column] == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(r[column]), v); err != nil {
		return ffrtmp.FieldErrorf(column, "invalid JSON: %v", err)
	}
	return nil
}

// firstOf returns the first time that is not zero.
func firstOf(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}
