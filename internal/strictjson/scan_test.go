package strictjson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

var documents = []string{
	`{"b": 1, "a": {"y": 1e2, "x": 12345678901234567890}}`,
	"{\"a\":{\"x\":12345678901234567890,\"y\":1e2},\n\"b\":1}",
	`{"a":{"x":12345678901234567890,"y":100},"b":1}`,
	`{}`, ` { } `, `[]`, `[ ]`, `[{}]`, `[[]]`, `null`, `true`, `false`, `0`, `-0`, `1.5e3`, `"x"`, `""`,
	`{"a":"1"}`, `{"a":1}`, `{"a":1,"a":2}`, `{"a":2}`, `{"a":2,"a":1}`, `{"\u0061":1}`, `{"A":1}`,
	`{"a":"\u00e4"}`, `{"a":"ä"}`, `{"a":"\"","b":"\\"}`, `{"a":"\\\"b"}`, `{"a":"\\","b":"\\\\"}`,
	`{"a":"x\"},{"}`, `{"a":[1,2]}`, `{"a":[12]}`, `{"a":[2,1]}`, `{"a":["1","2"]}`, `{"a":["1\",\"2"]}`,
	`{"a":["1:1","2"]}`, `{"a":null}`, `{"a":{}}`, `{"a":{"b":null}}`, `{"":""}`, `{"":{"":[]}}`, `[null,true]`,
	`{"a":"\ud800"}`, `{"a":"\ufffd"}`, `{"a":"]"}`, `{"a":"}"}`, `{"jobs":[{"a":1,"b":2},{"b":3}]}`,
	`{"jobs":[{"b":2,"a":1},{"b":3}]}`,
}

var malformed = []string{
	``, ` `, `{`, `}`, `[`, `]`, `"`, `"\`, `"\"`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`,
	`[1,]`, `[,1]`, `[1 2]`, `{"a" 1}`, `{a:1}`, `{"a":1}}`, `{} {}`, `{1:2}`, `[1}`, `{"a":]}`, `:`, `,`,
}

// canonical is the same by way of decoding.
func canonical(t testing.TB, data []byte) (string, bool) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if !json.Valid(data) || dec.Decode(&v) != nil {
		return "", false
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out), true
}

// Two documents have the same canonical form if they decode to the same value.
func TestAppendCanonical_Equality(t *testing.T) {
	for _, a := range documents {
		for _, b := range documents {
			formA, okA := AppendCanonical(nil, []byte(a))
			formB, okB := AppendCanonical(nil, []byte(b))
			if !okA || !okB {
				t.Fatalf("%s, %s: got %v, %v, want both accepted", a, b, okA, okB)
			}
			wantA, _ := canonical(t, []byte(a))
			wantB, _ := canonical(t, []byte(b))
			if got, want := bytes.Equal(formA, formB), wantA == wantB; got != want {
				t.Errorf("%s and %s: got equal %v, want %v", a, b, got, want)
			}
		}
	}
}

// Malformed and too deeply nested documents end, and do not panic.
func TestAppendCanonical_Malformed(t *testing.T) {
	for _, doc := range malformed {
		AppendCanonical(nil, []byte(doc))
		fields([]byte(doc))
	}
	for _, doc := range []string{
		strings.Repeat("[", 1<<20), strings.Repeat(`{"a":`, 1<<18),
		strings.Repeat("[", 100) + strings.Repeat("]", 100),
	} {
		if _, ok := AppendCanonical(nil, []byte(doc)); ok {
			t.Errorf("%.20s: got a canonical form, want none", doc)
		}
	}
}

// The fields are those that encoding/json finds.
func TestFields_SameAsDecoded(t *testing.T) {
	for _, doc := range documents {
		var want map[string]json.RawMessage
		if json.Unmarshal([]byte(doc), &want) != nil {
			continue
		}
		got := fields([]byte(doc))
		if len(got) != len(want) {
			t.Errorf("%s: got %d fields, want %d", doc, len(got), len(want))
		}
		for name, value := range want {
			if !reflect.DeepEqual(bytes.TrimSpace(got[name]), []byte(value)) {
				t.Errorf("%s: field %q: got %s, want %s", doc, name, got[name], value)
			}
		}
	}
}

// FuzzAppendCanonical compares with decoding.
func FuzzAppendCanonical(f *testing.F) {
	for i, a := range documents {
		f.Add([]byte(a), []byte(documents[(i+1)%len(documents)]))
	}
	for _, a := range malformed {
		f.Add([]byte(a), []byte(`{}`))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		wantA, validA := canonical(t, a)
		wantB, validB := canonical(t, b)
		formA, okA := AppendCanonical(nil, a)
		formB, okB := AppendCanonical(nil, b)
		fields(a)
		if validA && validB && okA && okB && bytes.Equal(formA, formB) != (wantA == wantB) {
			t.Errorf("%s and %s: got equal %v, want %v", a, b, bytes.Equal(formA, formB), wantA == wantB)
		}
	})
}
