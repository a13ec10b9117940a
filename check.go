package ffrtmp

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"github.com/ffrtmp/ffrtmp/internal/strictjson"
)

// decodeStrict decodes an object into v and rejects fields that are not in known. Errors name the field below prefix.
// It also returns the object's fields, undecoded.
func decodeStrict(data []byte, prefix string, known []string, v any) (map[string]json.RawMessage, error) {
	fields, err := strictjson.Strict(data, prefix, known, v)
	var fault *strictjson.Error
	switch {
	case errors.As(err, &fault) && fault.Field != "":
		return nil, FieldErrorf(fault.Field, "%s", fault.Message)
	case fault != nil:
		return nil, Errorf(Invalid, "%s", fault.Message)
	}
	return fields, err
}

// checkText returns an error that names the field unless s is one line of at most limit bytes.
func checkText(field, s string, limit int) error {
	if len(s) > limit || strings.ContainsAny(s, "\x00\n\r") {
		return FieldErrorf(field, "must be one line of at most %d bytes", limit)
	}
	return nil
}

// checkRange returns an error that names the field unless n is between low and high.
func checkRange(field string, n, low, high int) error {
	if n < low || n > high {
		return FieldErrorf(field, "must be between %d and %d", low, high)
	}
	return nil
}

// checkLength returns an error that names the field when data is longer than limit bytes.
func checkLength[T ~string | ~[]byte](field string, data T, limit int) error {
	if len(data) > limit {
		return FieldErrorf(field, "is longer than %d bytes", limit)
	}
	return nil
}

// checkID returns an error that names the field unless s is an id.
func checkID(field, s string) error {
	if !IsID(s) {
		return FieldErrorf(field, "%q is not a lower-case UUID", s)
	}
	return nil
}

const maxCPUThreads = 1 << 16

// checkHardware checks the CPU and memory that a node declares or a job requires.
func checkHardware(threadsField string, threads int, memoryField string, memory int64) error {
	if memory < 0 {
		return FieldErrorf(memoryField, "must not be negative")
	}
	return checkRange(threadsField, threads, 0, maxCPUThreads)
}

var idForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// IsID reports whether s has the form of a job, node or cluster id: a lower-case UUID.
func IsID(s string) bool { return idForm.MatchString(s) }
