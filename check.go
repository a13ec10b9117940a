package ffrtmp

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"github.com/ffrtmp/ffrtmp/internal/strictjson"
)

// decodeStrict decodes an object that may have no fields but those of T, within the document at prefix. It also returns
// its fields, undecoded.
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

var idForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// IsID reports whether s has the form of an identity: a UUID in lower case.
func IsID(s string) bool { return idForm.MatchString(s) }
