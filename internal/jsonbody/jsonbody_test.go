package jsonbody

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// A value of a wrong type is named by its path, array indexes included.
func TestDecode_Path(t *testing.T) {
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
		var e *ffrtmp.Error
		if !errors.As(err, &e) || e.Code != ffrtmp.Invalid || e.Field != tt.field {
			t.Errorf("%s: %v, want the field %q", tt.data, err, tt.field)
		}
	}
}

// An error names the field and what it must be.
func TestDecode_Field(t *testing.T) {
	for body, want := range map[string]string{
		`{"node_id":"n","max":1,"wait":"5s","unknown":1}`: "",
		`{"node_id":"n","max":"1"}`:                       "max: must be an integer, not string",
		`{"node_id":7}`:                                   "node_id: must be a string, not number",
		`[]`:                                              "the body must be a JSON object, not array",
		`{"node_id"`:                                      "the body is not valid JSON",
		``:                                                "the body is not valid JSON",
		`{"wait":"soon"}`:                                 `wait: must be a duration such as "30s", not "soon"`,
	} {
		var c ffrtmp.ClaimRequest
		err := Decode([]byte(body), &c)
		if want == "" && err != nil ||
			want != "" && (ffrtmp.CodeOf(err) != ffrtmp.Invalid || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// Equal documents have equal canonical forms.
func TestCanonical(t *testing.T) {
	a, err := Canonical([]byte(`{"b": 1, "a": {"y": 1e2, "x": 12345678901234567890}}`))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Canonical([]byte("{\"a\":{\"x\":12345678901234567890,\"y\":1e2},\n\"b\":1}"))
	if err != nil || string(a) != string(b) {
		t.Errorf("%s\n%s\n%v", a, b, err)
	}
	if _, err := Canonical([]byte(`{`)); ffrtmp.CodeOf(err) != ffrtmp.Invalid {
		t.Error(err)
	}
}
