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

// Defaults of Config. A try takes longer than the 5 s for which a master holds a request during an election.
const (
	DefaultTryTimeout = 10 * time.Second
	DefaultPatience   = time.Minute
)

// Config configures a Client. Only Masters is required.
type Config struct {
	// Masters are API URLs; a bare host:port means https. One is enough: the client discovers the others. Names are
	// resolved again for every connection.
	Masters []string

	// APIKey is sent as a bearer token with every request except Health's.
	APIKey string

	// TLS verifies the masters, and may carry a client certificate. Nil trusts the system's CAs. TrustCA makes one for
	// the CA of a cluster.
	TLS *tls.Config

	// DialTLS makes the connections instead of TLS, for CAs that may change while the client exists. It must offer
	// HTTP/2.
	DialTLS func(ctx context.Context, network, addr string) (net.Conn, error)

	// Transport replaces the client's own, for tests. TLS and DialTLS are then unused.
	Transport http.RoundTripper

	// Wrap wraps the transport, for tracing. It may be nil.
	Wrap func(http.RoundTripper) http.RoundTripper

	// TryTimeout bounds one try at one master, in addition to a long poll. A master that does not
	// answer HTTP/2 pings is abandoned sooner. 0 means DefaultTryTimeout.
	TryTimeout time.Duration

	// Patience is how long a call is retried after its first failed try. The call's context may
	// end it sooner. 0 means DefaultPatience; negative: only the context ends a call.
	Patience time.Duration

	// Logger logs failed tries at debug level. Nil logs nothing.
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

// New returns a client. It does not connect yet; its only errors are those of an invalid Config.
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

// Close closes idle connections. It does not disturb active calls, and the client stays usable.
func (c *Client) Close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// SetAPIKey replaces the API key, effective with the next try of any call.
func (c *Client) SetAPIKey(key string) { c.apiKey.Store(&key) }

// SetMasters replaces the discovered masters, for example with those of a heartbeat's answer. The masters of Config are
// kept, so that the client finds a cluster that has changed all its addresses. Invalid URLs are ignored, and so are
// plain http ones unless Config has no others.
func (c *Client) SetMasters(urls []string) { c.masters.learn(urls) }

// Masters returns the API URLs in use, those of Config first.
func (c *Client) Masters() []string { return c.masters.urls() }

// Leader returns the API URL of the last known leader, or "".
func (c *Client) Leader() string { return c.masters.leaderURL() }
