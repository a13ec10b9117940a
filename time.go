package ffrtmp

import (
	"encoding/json"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/strictjson"
)

// Time is a time.Time in a request body, in RFC 3339. The error for any other form names the field.
type Time struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(data []byte) error {
	if t.Time.UnmarshalJSON(data) == nil {
		return nil
	}
	return &json.UnmarshalTypeError{Value: string(data), Type: strictjson.Time}
}

// Duration is a time.Duration in JSON: written as "30s", read as that or as a number of seconds.
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
	return &json.UnmarshalTypeError{Value: string(data), Type: strictjson.Duration}
}
