package ffrtmp

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Decode parses a JSON object into v. Every fault is an Invalid error that names
// the field where one is known. Unknown fields are ignored: v2.2's clients send some.
func Decode(data []byte, v any) error {
	switch {
	case !utf8.Valid(data):
		// encoding/json would put U+FFFD in its place, or keep it where it keeps JSON as it is.
		return Errorf(Invalid, "the body is not valid JSON: it is not UTF-8")
	case string(bytes.TrimSpace(data)) == "null": // which leaves v as it is
		return Errorf(Invalid, "the body must be a JSON object, not null")
	}
	return decode(data, "", v)
}

func decode(data []byte, prefix string, v any) error {
	err := json.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	var own *Error
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &wrongType):
		field := wrongType.Field
		if wrongType.Offset > 0 { // which errors of our own types lack
			field = pathAt(data, wrongType.Offset)
		}
		field = join(prefix, field)
		if field == "" {
			return Errorf(Invalid, "the body must be a JSON object, not %s", wrongType.Value)
		}
		return FieldErrorf(field, "cannot be %s; %s is wanted", wrongType.Value, kindName(wrongType.Type))
	default:
		return Errorf(Invalid, "the body is not valid JSON: %v", err)
	}
}

func join(prefix, field string) string {
	if prefix == "" || field == "" || field[0] == '[' {
		return prefix + field
	}
	return prefix + "." + field
}

func kindName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Duration]():
		return `a duration such as "30s"`
	case reflect.TypeFor[Time]():
		return `a time such as "2026-01-02T03:04:05Z"`
	}
	switch t.Kind() {
	case reflect.Bool:
		return "a boolean"
	case reflect.String:
		return "a string"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Map, reflect.Struct, reflect.Pointer:
		return "an object"
	default:
		return "a whole number"
	}
}

// fieldsOf returns the names under which JSON knows the fields of T.
func fieldsOf[T any]() []string {
	var names []string
	for f := range reflect.TypeFor[T]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// decodeStrict is Decode for objects that have no fields but the known ones. It
// also returns the fields that are there, undecoded.
func decodeStrict(data []byte, prefix string, known []string, v any) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := decode(data, prefix, &fields); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(known, name) {
			return nil, FieldErrorf(join(prefix, name), "is not known")
		}
	}
	return fields, decode(data, prefix, v)
}

// Canonical returns the JSON document with sorted keys and no white space, so
// that equal documents have equal bytes.
func Canonical(data []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, Errorf(Invalid, "not valid JSON: %v", err)
	}
	return json.Marshal(v)
}

// Time is a time.Time in the body of a request: what is none names its field.
type Time struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(data []byte) error {
	if t.Time.UnmarshalJSON(data) == nil {
		return nil
	}
	return &json.UnmarshalTypeError{Value: string(data), Type: reflect.TypeFor[Time]()}
}

// Duration is a time.Duration that is written as "30s" in JSON and read from
// that or from a number of seconds.
type Duration time.Duration

// MarshalJSON implements json.Marshaler.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON implements json.Unmarshaler.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var seconds float64
	if json.Unmarshal(data, &seconds) == nil {
		*d = Duration(seconds * float64(time.Second))
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err == nil {
		if parsed, err := time.ParseDuration(text); err == nil {
			*d = Duration(parsed)
			return nil
		}
	}
	// encoding/json adds the field to errors of this type only.
	return &json.UnmarshalTypeError{Value: string(data), Type: reflect.TypeFor[Duration]()}
}

// checkText returns an error that names the field unless s is one line of at most
// limit bytes.
func checkText(field, s string, limit int) error {
	if len(s) > limit || strings.ContainsAny(s, "\x00\n\r") {
		return FieldErrorf(field, "must be one line of at most %d bytes", limit)
	}
	return nil
}

var idForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// IsID reports whether s has the form of an identity: a UUID in lower case.
func IsID(s string) bool { return idForm.MatchString(s) }
