package gossipkey

import (
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	a, b := New(), New()[:16]
	keys, err := Parse(slices.Concat([]byte("\n"), Format(a, b), []byte(" \n")))
	if err != nil || len(keys) != 2 || !slices.Equal(keys[0], a) || !slices.Equal(keys[1], b) {
		t.Errorf("got %x, %v, want %x", keys, err, [][]byte{a, b})
	}
}

func TestParse_Malformed(t *testing.T) {
	for name, text := range map[string]string{"no base64": "!", "too short": string(Format(New()[:8]))} {
		t.Run(name, func(t *testing.T) {
			const want = "key 2 is not base64 of 16, 24 or 32 bytes"
			if _, err := Parse(append(Format(New()), text...)); err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}
