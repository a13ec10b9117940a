package agent

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/tracing"
)

// Config configures an agent.
type Config struct {
	Masters []string    // API URLs, at least one; the others are learned
	APIKey  string      // sent to the masters as a bearer token
	TLS     *tls.Config // verifies the masters; nil trusts the system's roots
	// DialTLS replaces TLS: an agent runs longer than its CA may be valid.
	DialTLS func(ctx context.Context, network, addr string) (net.Conn, error)
	// Identities are watched for expiry; may be nil.
	Identities *certs.Identities

	Name       string            // shown to users; default: the host name
	Labels     map[string]string // matched against what jobs require
	StateDir   string            // created if missing; one agent at a time
	MediaRoots []string          // the only trees that jobs may read or write; default: the current directory
	FFmpeg     string            // path or name; default: ffmpeg from PATH

	MaxConcurrentJobs int           // default 1
	PollInterval      time.Duration // between claims when long-polling does not work; default 10 s
	HeartbeatInterval time.Duration // upper bound, never above a third of the lease TTL; default 30 s
	DrainTimeout      time.Duration // how long to wait for running jobs at the end; 0 leaves them running

	Version string
	Logger  hclog.Logger    // nil logs nothing
	Tracer  *tracing.Tracer // may be nil
}

func (c *Config) complete() error {
	if c.StateDir == "" {
		return errors.New("state directory: not set")
	}
	if c.MaxConcurrentJobs < 0 || c.DrainTimeout < 0 || c.PollInterval < 0 || c.HeartbeatInterval < 0 {
		return errors.New("configuration: a number or duration is negative")
	}
	if c.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			return err
		}
		c.Name = host
	}
	if len(c.MediaRoots) == 0 {
		c.MediaRoots = []string{"."}
	}
	c.FFmpeg = cmp.Or(c.FFmpeg, "ffmpeg")
	c.MaxConcurrentJobs = cmp.Or(c.MaxConcurrentJobs, 1)
	c.PollInterval = cmp.Or(c.PollInterval, 10*time.Second)
	c.HeartbeatInterval = cmp.Or(c.HeartbeatInterval, 30*time.Second)
	if c.Identities == nil {
		c.Identities = &certs.Identities{}
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	return nil
}
