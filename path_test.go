package ffrtmp

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestAWrongTypeIsFoundInArrays(t *testing.T) {
	type inner struct {
		N int   `json:"n"`
		L []int `json:"l"`
	}
	type outer struct {
		A []inner          `json:"a"`
		M map[string]inner `json:"m"`
		N int              `json:"n"`
	}
	for _, tt := range []struct{ data, field string }{
		{`{"a":[{"n":1},{"n":"x"}]}`, "a[1].n"},
		{`{"x":[[1],{"y":2}],"a":[{"l":[1,2]},{"l":[1, 2, true]}]}`, "a[1].l[2]"},
		{`{"a":[{}, [1]]}`, "a[1]"},
		{`{"a":{"n":1}}`, "a"},
		{`{"n":{}}`, "n"},
		{`{"x":{"n":"x"},"n":1.5}`, "n"},
		{`{"m":{"k":{"l":["n",2]}}}`, "m.k.l[0]"},
		{`[1]`, ""},
		{`"n"`, ""},
	} {
		err := Decode(json.RawMessage(tt.data), new(outer))
		var e *Error
		if !errors.As(err, &e) || e.Code != Invalid || e.Field != tt.field {
			t.Errorf("%s: %v, want the field %q", tt.data, err, tt.field)
		}
	}
}
