package api

import (
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// A bulk action changes what its filter selects; a dry run counts the same and changes nothing.
func TestBulk(t *testing.T) {
	m := newMaster(t)
	for _, queue := range []string{"batch", "batch", "default"} {
		m.submit(`{"scenario":"720p","queue":"` + queue + `"}`)
	}
	batch := `{"filter":{"queue":"batch"},"priority":"high"}`
	for _, step := range []struct {
		action string
		count  int
		status ffrtmp.Status
	}{
		{"resume", 0, ffrtmp.Pending},
		{"pause", 2, ffrtmp.Paused},
		{"pause", 0, ffrtmp.Paused},
		{"resume", 2, ffrtmp.Pending},
		{"priority", 2, ffrtmp.Pending},
		{"cancel", 2, ffrtmp.Canceled},
		{"priority", 0, ffrtmp.Canceled},
		{"cancel", 0, ffrtmp.Canceled},
		{"retry", 2, ffrtmp.Pending},
	} {
		before := m.job("1").Status
		m.wantCount(step.action+"?dry_run=true", batch, step.count)
		if got := m.job("1").Status; got != before {
			t.Errorf("dry run of %s: got %s, want %s", step.action, got, before)
		}
		m.wantCount(step.action, batch, step.count)
		if got := m.job("2").Status; got != step.status {
			t.Errorf("%s: got %s, want %s", step.action, got, step.status)
		}
	}
	if one, other := m.job("1"), m.job("3"); one.Priority != ffrtmp.High || other.Priority != ffrtmp.Medium ||
		other.Status != ffrtmp.Pending {
		t.Errorf("got %s and %s, want high and medium, pending", one.Priority, other.Priority)
	}
}

// A repeated bulk action changes nothing more, whatever its filter selects by then.
func TestBulk_IdempotencyKey(t *testing.T) {
	m := newMaster(t)
	m.submit(`{"scenario":"720p"}`)
	body := `{"filter":{"status":"pending"}}`
	for range 2 {
		m.wantCount("pause", body, 1, "Idempotency-Key", "k")
		m.submit(`{"scenario":"720p"}`)
	}
	m.want(409, "POST", "/jobs/cancel", body, "Idempotency-Key", "k")
	if got := len(m.list("?status=pending")); got != 2 {
		t.Errorf("got %d pending jobs, want 2", got)
	}
}

// wantCount sends a bulk request and checks how many jobs it changed.
func (m *master) wantCount(action, body string, want int, header ...string) {
	m.t.Helper()
	var changed ffrtmp.Changed
	m.want(200, "POST", "/jobs/"+action, body, header...).decode(m.t, &changed)
	if changed.Count != want {
		m.t.Errorf("%s: got %d, want %d", action, changed.Count, want)
	}
}
