package api

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/ffrtmp/ffrtmp"
)

// A key has a limited rate.
func TestRate(t *testing.T) {
	m := newMaster(t)
	_, slow := m.createKey(`{"name":"slow","scopes":["read","agent"],"rate_limit":1}`)
	_, other := m.createKey(`{"name":"other","scopes":["read"]}`)
	m.want(200, "GET", "/jobs", "", slow...)
	var refused response
	eventually(t, "the key exceeds its rate", func() bool {
		refused = m.request("GET", "/jobs", "", slow...)
		return refused.StatusCode != 200
	})
	var p problem
	refused.decode(t, &p)
	if refused.StatusCode != 429 || p.Code != ffrtmp.RateLimited || refused.Header.Get("Retry-After") != "1" {
		t.Errorf("got %d %+v, headers %v, want 429 with Retry-After 1", refused.StatusCode, p, refused.Header)
	}
	for range 20 {
		m.want(200, "GET", "/jobs", "", other...)
		m.want(200, "GET", "/jobs", "")
	}
	eventually(t, "it may go on", func() bool { return m.request("GET", "/jobs", "", slow...).StatusCode == 200 })
}

// Agents' requests are not limited unless their key has a limit of its own.
func TestRate_Agents(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name    string
		p       Principal
		agents  bool
		limited bool
	}{
		{"bootstrap", Principal{Name: "bootstrap"}, false, false},
		{"key", Principal{Name: "key", live: t.Context()}, false, true},
		{"agent", Principal{Name: "agent", live: t.Context()}, true, false},
		{"limited agent", Principal{Name: "limited agent", live: t.Context(), rateLimit: 100}, true, true},
	} {
		var r rates
		passed := 0
		for r.take(&test.p, test.agents) == nil && passed < 100_000 {
			passed++
		}
		if limited := passed < 100_000; limited != test.limited {
			t.Errorf("%s: got limited %v after %d requests in %s, want %v",
				test.name, limited, passed, time.Since(now), test.limited)
		}
	}
}

// Idle buckets are removed.
func TestRate_PrunesIdle(t *testing.T) {
	r := rates{buckets: map[string]*rate.Limiter{}}
	for i := range ffrtmp.MaxKeys {
		r.bucket(fmt.Sprint(i), 5)
	}
	r.buckets["7"].AllowN(time.Now().Add(time.Hour), 5)
	r.bucket("new", 5)
	if _, kept := r.buckets["7"]; len(r.buckets) != 2 || !kept {
		t.Errorf("got %d buckets, want 2, one of them that of key 7", len(r.buckets))
	}
}
