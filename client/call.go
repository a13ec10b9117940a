package client

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// Meta is the metadata of an answer. WithMeta returns it.
type Meta struct {
	Status      int           // HTTP status
	Index       uint64        // Raft index that the answer reflects; a write's own index
	KnownLeader bool          // the answering master knows a leader
	Leader      string        // its API URL
	ServedBy    string        // id of the master that produced the answer
	LastContact time.Duration // time since that master last heard from the leader
	RequestID   string
	Master      string // URL of the request
}

// call is one request, retried at one master after another until it is answered.
type call struct {
	method  string
	path    string
	query   url.Values
	body    any                                // marshalled once; nil for none
	file    *File                              // sent instead of body
	out     any                                // decoded into; nil to drop the answer
	stream  func(http.Header, io.Reader) error // reads the answer, however long it takes, instead of out
	silence time.Duration                      // how long a stream may be silent; 0: no limit

	key       string // idempotency key
	requestID string
	repeats   bool          // safe to repeat although the outcome is unknown
	wait      time.Duration // long poll, beyond the try's timeout
	persist   bool          // repeated until the context ends
	local     bool          // any master's own state is good enough
	meta      *Meta
}

// Option changes one call. Options that do not apply to a call have no effect.
type Option func(*call)

// IdempotencyKey sets the key of a write. Repeating a write with the same key and body, even from another process, has
// no further effect and returns the same result; with another body it is an ffrtmp.Conflict. By default every call has
// a new key.
func IdempotencyKey(key string) Option { return func(c *call) { c.key = key } }

// RequestID sets X-Request-Id, which logs and audit records contain. By default it is random.
func RequestID(id string) Option { return func(c *call) { c.requestID = id } }

// Consistent makes a read linearizable.
func Consistent() Option { return func(c *call) { c.query.Set("consistent", "true") } }

// Stale lets any master answer a read from its own state, if that is not older than max; 0 is no limit.
func Stale(max time.Duration) Option {
	return func(c *call) {
		c.local = true
		c.query.Set("stale", "true")
		if max > 0 {
			c.query.Set("max_stale", max.String())
		}
	}
}

// AtLeast makes a read wait, for up to wait, until the state has reached a Raft index, such as that of a write
// (Meta.Index).
func AtLeast(index uint64, wait time.Duration) Option {
	return func(c *call) {
		c.query.Set("index", strconv.FormatUint(index, 10))
		c.query.Set("wait", wait.String())
		c.wait = wait
	}
}

// Persist retries the call until its context ends, instead of for Config.Patience.
func Persist() Option { return func(c *call) { c.persist = true } }

// WithMeta stores the metadata of the answer in m. m must not be shared by concurrent calls.
func WithMeta(m *Meta) Option { return func(c *call) { c.meta = m } }

func newCall(method, path string, body, out any, opts []Option) *call {
	c := &call{method: method, path: path, query: url.Values{}, body: body, out: out}
	c.repeats = c.reads()
	for _, o := range opts {
		o(c)
	}
	if c.requestID == "" {
		c.requestID = newID()
	}
	return c
}

func read(path string, out any, opts []Option) *call {
	return newCall(http.MethodGet, path, nil, out, opts)
}

// write returns a call that changes something and is retried under its key.
func write(method, path string, body, out any, opts []Option) *call {
	c := newCall(method, path, body, out, opts)
	c.repeats = true
	if c.key == "" {
		c.key = newID()
	}
	return c
}

// report returns a call of an agent. Masters accept repetitions without a key.
func report(path string, body, out any, opts []Option) *call {
	c := newCall(http.MethodPost, path, body, out, opts)
	c.repeats = true
	return c
}

func (c *call) reads() bool { return c.method == http.MethodGet || c.method == http.MethodHead }

func (c *call) name() string { return c.method + " " + c.path }

func metaOf(h http.Header, status int, master string) Meta {
	index, _ := strconv.ParseUint(h.Get(ffrtmp.IndexHeader), 10, 64)
	contact, _ := strconv.ParseInt(h.Get(ffrtmp.LastContactHeader), 10, 64)
	return Meta{
		Status:      status,
		Index:       index,
		KnownLeader: h.Get(ffrtmp.KnownLeaderHeader) == "true",
		Leader:      h.Get(ffrtmp.LeaderHeader),
		ServedBy:    h.Get(ffrtmp.ServedByHeader),
		LastContact: time.Duration(contact) * time.Millisecond,
		RequestID:   h.Get(ffrtmp.RequestIDHeader),
		Master:      master,
	}
}
