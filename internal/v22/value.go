package v22

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// layouts are those of times in v2.2 databases: its SQLite driver's, RFC 3339, and
// what SQLite itself writes.
var layouts = []string{"2006-01-02 15:04:05Z07:00", time.RFC3339, "2006-01-02 15:04:05"}

// time reads a column; what is not there is the zero time.
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
	return time.Time{}, ffrtmp.FieldErrorf(column, "%q is not a time", text)
}

// int reads a column; what is not there is 0.
func (r record) int(column string) (int64, error) {
	if r[column] == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(r[column], 10, 64)
	if err != nil {
		return 0, ffrtmp.FieldErrorf(column, "%q is not a whole number", r[column])
	}
	return n, nil
}

// json reads a column into v, which what is not there leaves as it is.
func (r record) json(column string, v any) error {
	if r[column] == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(r[column]), v); err != nil {
		return ffrtmp.FieldErrorf(column, "is not the JSON that it should be: %v", err)
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
