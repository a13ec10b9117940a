package client

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	firstRest  = 100 * time.Millisecond // after a first failure; doubles with each that follows
	maxRest    = 30 * time.Second       // while other masters answer
	lastRest   = 2 * time.Second        // when no other master is left
	slowRest   = 5 * time.Second        // after a connection was not made in time, while there are other masters
	maxMasters = 64
)

// master is one address. Its state belongs to masters.mu.
type master struct {
	url      string
	seed     bool
	failures int // in a row

	rests      time.Time // not used before
	lastResort time.Time // not even when all rest
}

// masters chooses where a request goes: to the leader, else to the master that answered last, else to any that has not
// just failed.
type masters struct {
	mu      sync.Mutex
	secure  bool // discovered masters must be https
	list    []*master
	leader  *master
	current *master
	known   bool // one has answered
}

func newMasters(seeds []string) (*masters, error) {
	m := &masters{}
	for _, s := range seeds {
		u, err := normalise(s)
		if err != nil {
			return nil, fmt.Errorf("client: master %q: %w", s, err)
		}
		m.secure = m.secure || strings.HasPrefix(u, "https:")
		if m.find(u) == nil {
			m.list = append(m.list, &master{url: u, seed: true})
		}
	}
	if len(m.list) == 0 {
		return nil, errors.New("client: Masters is empty")
	}
	// Clients with the same list start with different masters.
	m.current = m.list[rand.IntN(len(m.list))]
	return m, nil
}

// normalise returns scheme://host[:port][/path] without a trailing slash.
func normalise(s string) (string, error) {
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil {
		return "", err
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("scheme is %q, not http or https", u.Scheme)
	case u.Hostname() == "":
		return "", errors.New("host is missing")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("user, query and fragment are not allowed")
	}
	return u.Scheme + "://" + strings.ToLower(u.Host) + strings.TrimRight(u.EscapedPath(), "/"), nil
}

func (m *masters) find(url string) *master {
	for _, x := range m.list {
		if x.url == url {
			return x
		}
	}
	return nil
}

func (m *masters) learn(urls []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(m.list), func(x *master) bool { return !x.seed })
	for _, s := range urls {
		u, ok := m.usable(s)
		if !ok || len(list) >= maxMasters {
			continue
		}
		x := m.find(u)
		if x == nil {
			x = &master{url: u}
		}
		if !slices.Contains(list, x) {
			list = append(list, x)
		}
	}
	m.list = list
	if !slices.Contains(list, m.current) {
		m.current = list[0]
	}
	if !slices.Contains(list, m.leader) {
		m.leader = nil
	}
}

// usable reports whether s is a valid URL. It refuses http where the API key was meant for https.
func (m *masters) usable(s string) (string, bool) {
	u, err := normalise(s)
	return u, err == nil && (!m.secure || strings.HasPrefix(u, "https:"))
}

func (m *masters) urls() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var urls []string
	for _, x := range m.list {
		urls = append(urls, x.url)
	}
	return urls
}

func (m *masters) leaderURL() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leader == nil {
		return ""
	}
	return m.leader.url
}

// pick returns the master to try next, and how long to wait before that.
func (m *masters) pick(now time.Time, leader bool) (*master, time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	order := make([]*master, 0, len(m.list)+2)
	if leader && m.leader != nil {
		order = append(order, m.leader)
	}
	order = append(append(order, m.current), m.list...)
	best := order[0]
	for _, x := range order {
		if !now.Before(x.rests) {
			return x, 0
		}
		if x.lastResort.Before(best.lastResort) {
			best = x
		}
	}
	return best, max(0, best.lastResort.Sub(now))
}

// spare reports whether another master than x may be tried at once. Once a master has answered, clients do not hurry:
// a thousand agents that reconnect at the same time would do so to every master.
func (m *masters) spare(x *master, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	usable := func(other *master) bool { return other != x && !now.Before(other.rests) }
	return !m.known && slices.ContainsFunc(m.list, usable)
}

// answered records that x answered, and its leader ("" if unknown).
func (m *masters) answered(x *master, leader string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known = true
	x.failures, x.rests, x.lastResort = 0, time.Time{}, time.Time{}
	if slices.Contains(m.list, x) {
		m.current = x
	}
	if leader == "" {
		return
	}
	u, ok := m.usable(leader)
	if !ok {
		return
	}
	m.leader = m.find(u)
	if m.leader == nil && len(m.list) < maxMasters {
		m.leader = &master{url: u}
		m.list = append(m.list, m.leader)
	}
}

// failed excludes x for a while, which grows with every consecutive failure.
func (m *masters) failed(x *master, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rest := jitter(min(maxRest, firstRest<<min(x.failures, 16)))
	x.failures++
	m.rest(x, now.Add(rest), now.Add(min(rest, lastRest)))
}

// slow excludes x, which cannot be connected to, while there are others.
func (m *masters) slow(x *master, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rest(x, now.Add(jitter(slowRest)), now)
}

// refused excludes x for the time that it has asked for.
func (m *masters) refused(x *master, now time.Time, after time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	until := now.Add(jitter(after))
	m.rest(x, until, until)
}

func (m *masters) rest(x *master, until, lastResort time.Time) {
	x.rests, x.lastResort = until, lastResort
	if m.leader == x {
		m.leader = nil
	}
}

// jitter extends d by up to a half, so that clients do not return together.
func jitter(d time.Duration) time.Duration { return d + rand.N(d/2+1) }

func (m *masters) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.list)
}
