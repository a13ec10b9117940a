package v22

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// layouts are the formats of times in v2.2 databases: that of its SQLite driver, RFC 3339,
// and that of SQLite itself.
var layouts = []string{"2006-01-02 15:04:05Z07:00", time.RFC3339, "2006-01-02 15:04:05"}

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
	return time.Time{}, ffrtmp.FieldErrorf(column, "invalid time %q", text)
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
