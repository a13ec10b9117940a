// Package jsonbody decodes the bodies of requests. Every fault is an ffrtmp.Invalid error that names the field.
package jsonbody

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/strictjson"
)

// Decode parses a JSON object into v. Unknown fields are ignored, since v2.2's clients send some; the types that must
// not ignore them do not.
func Decode(data []byte, v any) error {
	switch {
	case !utf8.Valid(data):
		// encoding/json would put U+FFFD in its place, or keep it where it keeps JSON as it is.
		return ffrtmp.Errorf(ffrtmp.Invalid, "the body is not valid JSON: it is not UTF-8")
	case string(bytes.TrimSpace(data)) == "null": // which leaves v as it is
		return ffrtmp.Errorf(ffrtmp.Invalid, "the body must be a JSON object, not null")
	}
	return invalid(strictjson.Unmarshal(data, "", v))
}

// invalid turns a fault of the document into an error for its sender.
func invalid(err error) error {
	var fault *strictjson.Error
	var own *ffrtmp.Error
	switch {
	case err == nil || errors.As(err, &own):
		return err
	case errors.As(err, &fault) && fault.Field != "":
		return ffrtmp.FieldErrorf(fault.Field, "%s", fault.Message)
	default:
		return ffrtmp.Errorf(ffrtmp.Invalid, "%v", err)
	}
}

// Canonical returns a form of the JSON document that equal documents share, whatever their white space and the order of
// their fields. Not every fault of the document is an error.
func Canonical(data []byte) ([]byte, error) {
	if form, ok := strictjson.AppendCanonical(make([]byte, 0, len(data)+len(data)/8), data); ok {
		return form, nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, ffrtmp.Errorf(ffrtmp.Invalid, "not valid JSON: %v", err)
	}
	return json.Marshal(v)
}
