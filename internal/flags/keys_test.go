package flags

import (
	"slices"
	"testing"
)

// A file of keys has one a line; blank lines and spaces around keys do not count.
func TestKeys(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"": nil, " \n\n": nil, "a": {"a"}, "a\n": {"a"}, " a \r\n\n\tb\nc": {"a", "b", "c"},
	} {
		if got := Keys(text); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
		first := ""
		if len(want) > 0 {
			first = want[0]
		}
		if got := FirstKey(text); got != first {
			t.Errorf("first of %q: got %q, want %q", text, got, first)
		}
	}
}
