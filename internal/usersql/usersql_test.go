package usersql

import (
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// Too many concurrent queries are rejected at once.
func TestQuery_Concurrency(t *testing.T) {
	r := New(nil, DefaultLimits)
	for range maxQueries {
		r.active <- struct{}{}
	}
	if _, err := r.Query(t.Context(), "SELECT 1"); ffrtmp.CodeOf(err) != ffrtmp.RateLimited {
		t.Errorf("got %v, want %s", err, ffrtmp.RateLimited)
	}
}
