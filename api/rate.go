package api

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/ffrtmp/ffrtmp"
)

// defaultRate is how many requests a second a key may make to this master unless it
// says otherwise itself: more than people and their scripts make, less than what
// keeps others from being served.
const defaultRate = 1000

// rates is a token bucket for each key: a second's worth may come at once.
type rates struct {
	mu      sync.Mutex
	buckets map[string]*rate.Limiter // by id; at most ffrtmp.MaxKeys
}

// take counts a request. The bootstrap key is not counted. Nor is, unless a key says
// so itself, what agents do: they may share one key, and a heartbeat that is put off
// costs a lease.
func (r *rates) take(p *Principal, agents bool) error {
	limit := p.rateLimit
	if limit == 0 {
		if agents || p.live == nil {
			return nil
		}
		limit = defaultRate
	}
	if !r.bucket(p.Name, limit).Allow() {
		return ffrtmp.Errorf(ffrtmp.RateLimited, "this key may make %d requests a second to a master", limit)
	}
	return nil
}

func (r *rates) bucket(id string, limit int) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, ok := r.buckets[id]
	if !ok {
		if r.buckets == nil {
			r.buckets = map[string]*rate.Limiter{}
		}
		if len(r.buckets) >= ffrtmp.MaxKeys {
			r.pruneIdle(time.Now())
		}
		b = rate.NewLimiter(rate.Limit(limit), limit)
		r.buckets[id] = b
	}
	return b
}

// pruneIdle drops the buckets that are full: a new one would be the same.
func (r *rates) pruneIdle(now time.Time) {
	for id, b := range r.buckets {
		if b.TokensAt(now) >= float64(b.Burst()) {
			delete(r.buckets, id)
		}
	}
}
