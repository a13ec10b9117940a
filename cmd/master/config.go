package main

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

// config is the master's command line, checked and completed.
type config struct {
	port      int
	bind      string
	advertise string

	db      string
	raftDir string // "" keeps the log in memory, with the state

	nodeID          string
	bootstrapExpect int // 0: never bootstrap
	join            []string
	peerPort        int
	gossipPort      int
	cluster         string
	gossipKeyFile   string
	timing          string

	tls                 bool
	mtls                bool
	files               certs.Files
	peerFiles           certs.Files
	generateCert        bool
	caKey               string
	certHosts, certIPs  []string
	certRole            string
	apiKey              func() (key string, set bool, err error)
	maxRetries          int
	leaseTTL            time.Duration
	retention           time.Duration
	retryBase, retryCap time.Duration
	diskReserve         flags.Bytes
	metrics             bool
	metricsPort         int
	log                 flags.Log
	tracing             flags.Tracing
	usage               string
}

// parse reads the command line and the environment. Errors are flags.ErrUsage,
// flags.ErrVersion or pflag.ErrHelp.
func parse(args []string, lookup func(string) (string, bool)) (*config, error) {
	c := &config{}
	fs := pflag.NewFlagSet("master", pflag.ContinueOnError)
	fs.Usage = func() {}
	fs.IntVar(&c.port, "port", 8080, "API port (HTTPS unless --tls=false)")
	fs.StringVar(&c.bind, "bind", "0.0.0.0", "address that every listener binds")
	fs.StringVar(&c.advertise, "advertise", "", "host name or address that others dial (default: the first private address)")
	fs.StringVar(&c.db, "db", "master.db", `SQLite state; "" keeps all state in memory (development)`)
	fs.StringVar(&c.raftDir, "raft-dir", "", "Raft log, snapshots and identity (default: --db without its extension, and .raft)")
	fs.StringVar(&c.nodeID, "node-id", "", "identity of this master, a UUID (default: generated once and kept in the Raft directory)")
	fs.IntVar(&c.bootstrapExpect, "bootstrap-expect", 0, "masters that form the first cluster together (default: 1 without --join; with it, never bootstrap)")
	fs.StringSliceVar(&c.join, "join", nil, "host:gossip-port of other masters, repeatable or comma-separated")
	fs.IntVar(&c.peerPort, "peer-port", 8300, "Raft and forwarding between masters, always mutual TLS")
	fs.IntVar(&c.gossipPort, "gossip-port", 7946, "membership gossip")
	fs.StringVar(&c.cluster, "cluster", "default", "name of the cluster: in the certificates' role and the gossip label")
	fs.StringVar(&c.gossipKeyFile, "gossip-key-file", "", "base64 keys of 16, 24 or 32 bytes, one a line; the first encrypts")
	fs.StringVar(&c.timing, "timing", "local", "Raft timeouts: local (one site) or wan")
	fs.BoolVar(&c.tls, "tls", true, "serve the API over HTTPS; --tls=false is for development")
	fs.StringVar(&c.files.Cert, "cert", "certs/master.crt", "certificate of the API; made self-signed when it and --key are missing")
	fs.StringVar(&c.files.Key, "key", "certs/master.key", "key of the API's certificate")
	fs.StringVar(&c.files.CA, "ca", "", "CA that clients, agents and peers are verified against")
	fs.BoolVar(&c.mtls, "mtls", false, "demand client certificates on the API port (needs --ca)")
	fs.StringVar(&c.peerFiles.Cert, "peer-cert", "", "certificate on the peer port (default: --cert)")
	fs.StringVar(&c.peerFiles.Key, "peer-key", "", "key on the peer port (default: --key)")
	fs.StringVar(&c.peerFiles.CA, "peer-ca", "", "CA of the peer port (default: --ca)")
	fs.BoolVar(&c.generateCert, "generate-cert", false, "write --cert and --key and exit")
	fs.StringVar(&c.caKey, "ca-key", "", "with --generate-cert: key of --ca, which then signs")
	fs.StringSliceVar(&c.certHosts, "cert-hosts", nil, "with --generate-cert: further host names")
	fs.StringSliceVar(&c.certIPs, "cert-ips", nil, "with --generate-cert: further IP addresses")
	fs.StringVar(&c.certRole, "cert-role", "", "with --generate-cert: role in the certificate, master or agent")
	fs.String("api-key", "", "bootstrap admin key; a file or MASTER_API_KEY keeps it out of process listings")
	fs.String("api-key-file", "", "file that holds the bootstrap admin key")
	fs.IntVar(&c.maxRetries, "max-retries", 3, "retries of a job after its first run")
	fs.DurationVar(&c.leaseTTL, "lease-ttl", 30*time.Second, "how long a running attempt outlives its agent's last heartbeat")
	fs.DurationVar(&c.retention, "retention", 168*time.Hour, "how long a job is kept when it is over; 0 is for ever")
	fs.DurationVar(&c.retryBase, "retry-base", 5*time.Second, "wait before the first retry; doubled for each further one")
	fs.DurationVar(&c.retryCap, "retry-cap", 5*time.Minute, "longest wait before a retry")
	c.diskReserve = 512 << 20
	fs.Var(&c.diskReserve, "disk-reserve", "room on the disk below which no new jobs are taken, for what becomes of those that there are; 0 is none")
	fs.BoolVar(&c.metrics, "metrics", true, "serve Prometheus metrics and /health on --metrics-port")
	fs.IntVar(&c.metricsPort, "metrics-port", 9090, "port of the metrics")
	c.log.Register(fs)
	c.tracing.Register(fs)
	version := fs.Bool("version", false, "print the version and exit")
	c.usage = "Usage: master [flags]\n\nEvery flag can also be set by the environment, as " + flags.EnvPrefix + "<NAME>.\n\n" + fs.FlagUsages()

	if err := flags.Parse(fs, args, lookup); err != nil {
		return c, err
	}
	if *version {
		return c, flags.ErrVersion
	}
	c.apiKey = func() (string, bool, error) { return flags.APIKey(fs, lookup) }
	if !fs.Changed("bootstrap-expect") && len(c.join) == 0 {
		c.bootstrapExpect = 1
	}
	if fs.Changed("bootstrap-expect") && c.bootstrapExpect < 1 {
		return c, flags.Usagef("--bootstrap-expect must be at least 1; leave it out to join only")
	}
	if c.db == "" && c.raftDir != "" {
		return c, flags.Usagef(`--raft-dir does not go with --db "": all state is in memory then`)
	}
	if c.db != "" && c.raftDir == "" {
		c.raftDir = strings.TrimSuffix(c.db, filepath.Ext(c.db)) + ".raft"
	}
	c.peerFiles = orElse(c.peerFiles, c.files)
	return c, c.check()
}

func orElse(f, defaults certs.Files) certs.Files {
	if f.Cert == "" && f.Key == "" {
		f.Cert, f.Key = defaults.Cert, defaults.Key
	}
	if f.CA == "" {
		f.CA = defaults.CA
	}
	return f
}

// check refuses values that cannot work, naming the flag.
func (c *config) check() error {
	ports := map[string]int{"port": c.port, "peer-port": c.peerPort, "gossip-port": c.gossipPort, "metrics-port": c.metricsPort}
	for _, name := range []string{"port", "peer-port", "gossip-port", "metrics-port"} {
		if ports[name] < 1 || ports[name] > 65535 {
			return flags.Usagef("--%s must be between 1 and 65535, not %d", name, ports[name])
		}
	}
	if net.ParseIP(c.bind) == nil {
		return flags.Usagef("--bind must be an IP address, not %q", c.bind)
	}
	if c.nodeID != "" && !ffrtmp.IsID(c.nodeID) {
		return flags.Usagef("--node-id must be a UUID in lower case, not %q", c.nodeID)
	}
	if net.ParseIP(c.advertise) == nil && strings.ContainsAny(c.advertise, ":/[] ") {
		return flags.Usagef("--advertise must be a host name or an IP address, without scheme and port, not %q", c.advertise)
	}
	for _, address := range c.join {
		host, port, err := net.SplitHostPort(address)
		if n, portErr := strconv.Atoi(port); err != nil || host == "" || portErr != nil || n < 1 || n > 65535 {
			return flags.Usagef("--join %q must be host:gossip-port", address)
		}
	}
	if c.cluster == "" || strings.ContainsAny(c.cluster, "/?# \t\n") || len(c.cluster) > 63 {
		return flags.Usagef("--cluster must be 1 to 63 characters without spaces, '/', '?' or '#'")
	}
	if !slices.Contains([]string{"local", "wan"}, c.timing) {
		return flags.Usagef("--timing must be local or wan, not %q", c.timing)
	}
	if c.mtls && c.files.CA == "" {
		return flags.Usagef("--mtls needs --ca: without it no client could be verified")
	}
	if c.mtls && !c.tls {
		return flags.Usagef("--mtls does not go with --tls=false")
	}
	if err := ffrtmp.ValidateMaxRetries(c.maxRetries); err != nil {
		return flags.Usagef("--max-retries must be between 0 and 100, not %d", c.maxRetries)
	}
	if c.leaseTTL < time.Second || c.leaseTTL > time.Hour {
		return flags.Usagef("--lease-ttl must be between 1s and 1h, not %s", c.leaseTTL)
	}
	if c.retention != 0 && c.retention < time.Second {
		return flags.Usagef("--retention must be at least 1s, or 0 to keep everything, not %s", c.retention)
	}
	if c.retryBase <= 0 || c.retryCap < c.retryBase {
		return flags.Usagef("--retry-base must be more than 0 and at most --retry-cap")
	}
	if err := c.log.Check(); err != nil {
		return err
	}
	if err := c.tracing.Check(); err != nil {
		return err
	}
	if c.clustered() && c.gossipKeyFile == "" && c.tls {
		return flags.Usagef("a cluster needs --gossip-key-file (make one with: openssl rand -base64 32)")
	}
	if c.clustered() && c.peerFiles.CA == "" {
		return flags.Usagef("a cluster needs --ca (or --peer-ca): masters verify each other")
	}
	return c.checkCertFlags()
}

func (c *config) checkCertFlags() error {
	if !c.generateCert {
		if c.caKey != "" || c.certRole != "" || len(c.certHosts) > 0 || len(c.certIPs) > 0 {
			return flags.Usagef("--ca-key, --cert-hosts, --cert-ips and --cert-role go with --generate-cert")
		}
		return nil
	}
	if (c.caKey == "") != (c.files.CA == "") {
		return flags.Usagef("--generate-cert signs with --ca and --ca-key together, and without both makes a self-signed certificate")
	}
	if !slices.Contains([]string{"", "master", "agent"}, c.certRole) {
		return flags.Usagef("--cert-role must be master or agent, not %q", c.certRole)
	}
	for _, ip := range c.certIPs {
		if net.ParseIP(ip) == nil {
			return flags.Usagef("--cert-ips: %q is not an IP address", ip)
		}
	}
	return nil
}

// clustered reports whether this master has, or may get, peers.
func (c *config) clustered() bool { return c.bootstrapExpect != 1 || len(c.join) > 0 }

// advertised is the host that others dial.
func (c *config) advertised() (string, error) {
	if c.advertise != "" {
		return c.advertise, nil
	}
	bind := net.ParseIP(c.bind)
	if !bind.IsUnspecified() {
		return c.bind, nil
	}
	ip, err := privateAddress(bind.To4() != nil)
	if err != nil {
		return "", fmt.Errorf("find an address to advertise: %w", err)
	}
	if ip == "" {
		if c.clustered() {
			return "", errors.New("no private address found: set --advertise to the host or address that other masters reach this one at")
		}
		ip = "127.0.0.1"
	}
	return ip, nil
}

// privateAddress is the first private address of this host, "" when it has none.
func privateAddress(onlyIPv4 bool) (string, error) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return "", err
	}
	for _, address := range addresses {
		prefix, ok := address.(*net.IPNet)
		if ok && prefix.IP.IsPrivate() && (!onlyIPv4 || prefix.IP.To4() != nil) {
			return prefix.IP.String(), nil
		}
	}
	return "", nil
}

// apiURL is where clients reach this master.
func (c *config) apiURL(host string) string {
	scheme := "https"
	if !c.tls {
		scheme = "http"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(c.port))
}

// bootstrapKey returns the bootstrap admin key; "" leaves the API open, which
// only --tls=false allows.
func (c *config) bootstrapKey() (string, error) {
	key, set, err := c.apiKey()
	if err != nil {
		return "", err
	}
	switch {
	case !set:
		return "", errors.New("no API key: set MASTER_API_KEY or --api-key-file, for example\n  export MASTER_API_KEY=$(openssl rand -base64 32)")
	case key == "" && c.tls:
		return "", errors.New("the API key is empty: that leaves the API open to everybody and is only allowed with --tls=false (development)")
	}
	return key, nil
}
