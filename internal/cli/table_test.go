package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A table fits its terminal by cutting flexible columns, then by leaving out spare ones.
func TestTable_Fit(t *testing.T) {
	for _, c := range []struct {
		limit int
		want  []int
	}{
		{0, []int{3, 17, 7, 57}},
		{90, []int{3, 17, 7, 57}},
		{60, []int{3, 17, 7, 27}},
		{36, []int{3, 10, 7, 10}},
		{30, []int{3, 11, 12}},
		{10, []int{3, 8, 8}},
	} {
		table := NewTable("JOB<", "SCENARIO~", "RETRIES<?", "ERROR~")
		table.Add(7, "live-1080p60-h264", "0/3", "a very long explanation of what went wrong\nover two lines")
		if diff := cmp.Diff(c.want, table.fit(c.limit)); diff != "" {
			t.Errorf("limit %d (-want +got):\n%s", c.limit, diff)
		}
	}
}
