package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

// config is the checked command line, with defaults.
type config struct {
	masters            []string
	register           bool
	name               string
	stateDir           string
	apiKey             func() (key string, set bool, err error)
	files              certs.Files
	insecureSkipVerify bool
	pollInterval       time.Duration
	heartbeatInterval  time.Duration
	maxConcurrentJobs  int
	labels             map[string]string
	mediaRoots         []string
	ffmpeg             string
	metricsPort        int
	drainTimeout       time.Duration
	log                flags.Log
	tracing            flags.Tracing
	legacy             legacy
	usage              string
}

// parse reads the command line and the environment. Errors are flags.ErrUsage,
// flags.ErrVersion or pflag.ErrHelp.
func parse(args []string, lookup func(string) (string, bool)) (*config, error) {
	c := &config{}
	fs := flags.NewSet("agent")
	fs.StringSliceVar(&c.masters, "master", []string{"https://localhost:8080"},
		"URL of a master, repeatable or comma-separated; the others are discovered")
	fs.BoolVar(&c.register, "register", true, "register with the masters (accepted for v2.2; agents always do)")
	fs.StringVar(&c.name, "name", "", "name of this node (default: the host name)")
	fs.StringVar(&c.stateDir, "state-dir", "agent-state",
		"directory for the identity, running attempts and unsent results")
	fs.String("api-key", "", "API key; a file or MASTER_API_KEY keeps it out of process listings")
	fs.String("api-key-file", "", "file that holds the API key")
	fs.StringVar(&c.files.Cert, "cert", "", "client certificate, for masters with --mtls")
	fs.StringVar(&c.files.Key, "key", "", "key of the client certificate")
	fs.StringVar(&c.files.CA, "ca", "", "CA that verifies the masters (default: the system's)")
	fs.BoolVar(&c.insecureSkipVerify, "insecure-skip-verify", false,
		"do not verify the masters' certificates (development)")
	fs.DurationVar(&c.pollInterval, "poll-interval", 10*time.Second,
		"pause between claims where long polls are not possible")
	fs.DurationVar(&c.heartbeatInterval, "heartbeat-interval", 30*time.Second,
		"longest time between heartbeats; never above a third of the masters' lease TTL")
	fs.IntVar(&c.maxConcurrentJobs, "max-concurrent-jobs", 1, "jobs to run at once")
	fs.StringToStringVar(&c.labels, "label", nil, "label key=value, repeatable")
	fs.StringSliceVar(&c.mediaRoots, "media-root", nil,
		"directory tree that jobs may read and write, repeatable (default: the current directory)")
	fs.StringVar(&c.ffmpeg, "ffmpeg", "ffmpeg", "path of ffmpeg; ffprobe is searched beside it, then in PATH")
	fs.IntVar(&c.metricsPort, "metrics-port", 9091, "port of /metrics, /health and /ready; 0 serves none")
	fs.DurationVar(&c.drainTimeout, "drain-timeout", 30*time.Second,
		"how long to wait for running jobs on SIGTERM; the next start continues the rest")
	c.log.Register(fs)
	c.tracing.Register(fs)
	c.legacy.register(fs)
	var err error
	if c.usage, err = flags.ParseDaemon(fs, args, lookup); err != nil {
		return c, err
	}
	c.apiKey = func() (string, bool, error) {
		key, set, err := flags.APIKey(fs, lookup)
		return flags.FirstKey(key), set, err
	}
	c.legacy.apply(c)
	if !fs.Changed("master") {
		if value, ok := lookup("MASTER_URL"); ok {
			c.masters = strings.Split(value, ",")
		}
	}
	if err := c.check(); err != nil {
		return c, err
	}
	if fs.Changed("media-root") && (len(c.mediaRoots) == 0 || slices.Contains(c.mediaRoots, "")) {
		// "" would mean the current directory, which for a service is /.
		return c, flags.Usagef("--media-root must not be empty")
	}
	return c, c.complete()
}

// check rejects invalid values and names the flag.
func (c *config) check() error {
	if len(c.masters) == 0 {
		return flags.Usagef("--master must not be empty")
	}
	for _, master := range c.masters {
		u, err := url.Parse(master)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return flags.Usagef("--master %q must be a URL such as https://master-1:8080", master)
		}
	}
	if !c.register {
		return flags.Usagef("--register=false: an agent always registers; omit the flag")
	}
	if (c.files.Cert == "") != (c.files.Key == "") {
		return flags.Usagef("--cert and --key go together")
	}
	if c.pollInterval < time.Second || c.heartbeatInterval < time.Second {
		return flags.Usagef("--poll-interval and --heartbeat-interval must be at least 1s")
	}
	if c.maxConcurrentJobs < 1 || c.maxConcurrentJobs > ffrtmp.MaxConcurrentJobs {
		return flags.Usagef("--max-concurrent-jobs must be between 1 and %d, not %d",
			ffrtmp.MaxConcurrentJobs, c.maxConcurrentJobs)
	}
	if c.metricsPort < 0 || c.metricsPort > 65535 {
		return flags.Usagef("--metrics-port must be between 0 and 65535, not %d", c.metricsPort)
	}
	if c.drainTimeout < 0 {
		return flags.Usagef("--drain-timeout must not be negative")
	}
	if c.stateDir == "" {
		return flags.Usagef("--state-dir must not be empty")
	}
	if err := c.tracing.Check(); err != nil {
		return err
	}
	return c.log.Check()
}

// complete sets defaults that depend on this machine.
func (c *config) complete() error {
	if c.name == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("host name: %w", err)
		}
		c.name = host
	}
	if len(c.mediaRoots) == 0 {
		dir, err := os.Getwd()
		if err != nil {
			return fmt.Errorf("current directory: %w", err)
		}
		c.mediaRoots = []string{dir}
	}
	return nil
}

// key returns the API key. Only masters without TLS (development) work without one.
func (c *config) key() (string, error) {
	key, set, err := c.apiKey()
	if err != nil || set {
		return key, err
	}
	for _, master := range c.masters {
		if strings.HasPrefix(master, "https:") {
			return "", errors.New("no API key: set MASTER_API_KEY or --api-key-file to the masters' key")
		}
	}
	return "", nil
}
