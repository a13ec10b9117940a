package store

import (
	"database/sql/driver"
	"encoding/json"
	"time"
)

// TimeOf converts a column to a time: nanoseconds, 0 for none.
func TimeOf(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// Nanoseconds is the inverse of TimeOf.
func Nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// Null converts a string to a column, NULL if it is empty.
func Null(s string) driver.Value {
	if s == "" {
		return nil
	}
	return s
}

// Text reads a column that may be NULL.
func Text(v driver.Value) string {
	s, _ := v.(string)
	return s
}

// Bool converts a flag to a column.
func Bool(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Marshal returns the JSON of a list or map, or "" for an empty one. Maps are written
// with sorted keys, so equal values have equal bytes.
func Marshal[T any](v T, empty bool) string {
	if empty {
		return ""
	}
	// Strings, and lists and maps of them, always marshal.
	data, _ := json.Marshal(v)
	return string(data)
}

// Unmarshal reads what Marshal wrote.
func Unmarshal(s string, into any) error {
	if s == "" {
		return nil
	}
	return json.Unmarshal([]byte(s), into)
}
