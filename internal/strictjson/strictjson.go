// Package strictjson decodes JSON with errors that name the field at fault, and refuses unknown fields where it is
// asked to; encoding/json does neither fully.
package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Error is a fault of the document.
type Error struct {
	Field   string // JSON path of the field, such as attempts[0].progress; "" for the document
	Message string
}

func (e *Error) Error() string { return strings.TrimPrefix(e.Field+": "+e.Message, ": ") }

// Duration and Time are what types with UnmarshalJSON put into a json.UnmarshalTypeError to have their form described.
var (
	Duration = reflect.TypeFor[duration]()
	Time     = reflect.TypeFor[moment]()
)

type (
	duration struct{}
	moment   struct{}
)

// Unmarshal is json.Unmarshal with an *Error for what is wrong with the document. Errors of the types' own
// UnmarshalJSON come back as they are. Prefix is the path of the document within a larger one.
func Unmarshal(data []byte, prefix string, v any) error {
	err := json.Unmarshal(data, v)
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrongType):
		return typeError(data, prefix, wrongType)
	case errors.As(err, &syntax):
		return &Error{Message: fmt.Sprintf("the body is not valid JSON: %v", err)}
	default:
		return err
	}
}

func typeError(data []byte, prefix string, wrong *json.UnmarshalTypeError) error {
	field := wrong.Field
	if wrong.Offset > 0 { // which errors of UnmarshalJSON lack
		field = pathAt(data, wrong.Offset)
	}
	field = join(prefix, field)
	if field == "" {
		return &Error{Message: "the body must be a JSON object, not " + wrong.Value}
	}
	return &Error{field, fmt.Sprintf("must be %s, not %s", kindName(wrong.Type), wrong.Value)}
}

// Strict is Unmarshal for objects that have no fields but the known ones. It also returns the fields of the document,
// undecoded.
func Strict(data []byte, prefix string, known []string, v any) (map[string]json.RawMessage, error) {
	err := Unmarshal(data, prefix, v)
	if fault, ok := errors.AsType[*Error](err); ok && fault.Field == "" {
		return nil, err // it is no JSON object
	}
	found := fields(data)
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if !slices.Contains(known, name) {
			return nil, &Error{join(prefix, name), "unknown field"}
		}
	}
	return found, err
}

// Fields returns the names of the fields of T in JSON.
func Fields[T any]() []string {
	var names []string
	for f := range reflect.TypeFor[T]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

func join(prefix, field string) string {
	if prefix == "" || field == "" || field[0] == '[' {
		return prefix + field
	}
	return prefix + "." + field
}

func kindName(t reflect.Type) string {
	switch t {
	case Duration:
		return `a duration such as "30s"`
	case Time:
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
		return "an integer"
	}
}
