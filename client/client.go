package client

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Defaults of Config. A try outlives the 5 s for which a master holds a request
// during an election.
const (
	DefaultTryTimeout = 10 * time.Second
	DefaultPatience   = time.Minute
)

// Config says where the masters are and how to talk to them.
type Config struct {
	// Masters are API URLs; a bare host:port means https. At least one is needed.
	// Names are resolved anew for every connection.
	Masters []string

	// APIKey is sent as a bearer token with every request but Health's.
	APIKey string

	// TLS verifies the masters, and may carry a client certificate. Nil trusts the
	// system's roots.
	TLS *tls.Config

	// DialTLS makes the connections instead of TLS, for one whose trust may change
	// while the client lives. It offers HTTP/2.
	DialTLS func(ctx context.Context, network, addr string) (net.Conn, error)

	// Transport replaces the client's own, for tests. TLS is then unused.
	Transport http.RoundTripper

	// Wrap is put around the transport, for tracing. It may be nil.
	Wrap func(http.RoundTripper) http.RoundTripper

	// TryTimeout bounds one try at one master, beyond any long poll that was
	// asked for. A master that does not even answer HTTP/2 pings is left sooner.
	TryTimeout time.Duration

	// Patience is how long a call is repeated after its first failed try. The
	// call's context may end it sooner. Negative: only the context ends it.
	Patience time.Duration

	// Logger is told of failed tries, at debug level. Nil logs nothing.
	Logger hclog.Logger
}

// Client talks to a cluster. It is safe for concurrent use.
type Client struct {
	http       *http.Client
	own        *http.Transport // nil when the transport was given
	masters    *masters
	apiKey     atomic.Pointer[string]
	tryTimeout time.Duration
	patience   time.Duration
	log        hclog.Logger
}

// New returns a client. It connects to nothing yet.
func New(cfg Config) (*Client, error) {
	masters, err := newMasters(cfg.Masters)
	if err != nil {
		return nil, err
	}
	c := &Client{
		masters:    masters,
		tryTimeout: cfg.TryTimeout,
		patience:   cfg.Patience,
		log:        cfg.Logger,
	}
	c.SetAPIKey(cfg.APIKey)
	if c.tryTimeout == 0 {
		c.tryTimeout = DefaultTryTimeout
	}
	if c.tryTimeout < 0 {
		return nil, errors.New("client: TryTimeout is negative")
	}
	if c.patience == 0 {
		c.patience = DefaultPatience
	}
	if c.log == nil {
		c.log = hclog.NewNullLogger()
	}
	transport := cfg.Transport
	if transport == nil {
		c.own = newTransport(cfg.TLS, cfg.DialTLS)
		transport = c.own
	}
	if cfg.Wrap != nil {
		transport = cfg.Wrap(transport)
	}
	c.http = &http.Client{
		Transport: transport,
		// A redirect would take the API key wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Close gives up idle connections. Calls under way are not disturbed.
func (c *Client) Close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// SetAPIKey replaces the key, from the next try of any call on.
func (c *Client) SetAPIKey(key string) { c.apiKey.Store(&key) }

// SetMasters replaces the masters that have been learned, for example from the
// answer to a heartbeat. Those given to New are never forgotten: they lead back
// to a cluster that has changed all its addresses. URLs that cannot be used are
// left out, and so are plain http ones unless New was given only such.
func (c *Client) SetMasters(urls []string) { c.masters.learn(urls) }

// Masters returns the addresses in use, those given to New first.
func (c *Client) Masters() []string { return c.masters.urls() }

// Leader returns the API URL of the leader that was last heard of, or "".
func (c *Client) Leader() string { return c.masters.leaderURL() }
