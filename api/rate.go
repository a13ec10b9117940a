package api

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/ffrtmp/ffrtmp"
)

// defaultRate is how many requests a second a key without its own limit may make to this master:
// more than users and scripts need, too few to overload a master.
const defaultRate = 1000

// rates has a token bucket for each key, with a burst of one second.
type rates struct {
	mu      sync.Mutex
	buckets map[string]*rate.Limiter // by id; at most ffrtmp.MaxKeys
}

// take counts a request. The bootstrap key is not limited, nor are agents' requests unless their
// key has its own limit: many agents may share a key, and a refused heartbeat may cost a lease.
func (r *rates) take(p *Principal, agents bool) error {
	limit := p.rateLimit
	if limit == 0 {
		if agents || p.live == nil {
			return nil
		}
		limit = defaultRate
	}
	if !r.bucket(p.Name, limit).Allow() {
		return ffrtmp.Errorf(ffrtmp.RateLimited,
			"too many requests: this key is limited to %d per second on each master", limit)
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

// pruneIdle removes full buckets: a new one is the same.
func (r *rates) pruneIdle(now time.Time) {
	for id, b := range r.buckets {
		if b.TokensAt(now) >= float64(b.Burst()) {
			delete(r.buckets, id)
		}
	}
}
