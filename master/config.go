package master

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/cluster"
	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/flags"
	"github.com/ffrtmp/ffrtmp/internal/tracing"
)

// Config is what New needs. Start from Default, which is what cmd/master does without flags.
type Config struct {
	// Bind is the IP address that every listener binds.
	Bind string
	// Advertise is the host name or address that others dial; "" is Bind where that is one address, else the first
	// private address of this host.
	Advertise string
	// Port is the API's, HTTPS where TLS is set; 0 takes a free one, see Master.URL.
	Port int
	// Metrics opens MetricsPort (0 takes a free one) for Prometheus metrics and /health.
	Metrics     bool
	MetricsPort int

	// DB is the SQLite state; "" keeps state and log in memory, lost when the process ends.
	DB string
	// RaftDir holds log, snapshots and identity; "" is DB without its extension, and .raft.
	RaftDir string
	// Name is this master's in the cluster, unique; "" is the host's name, with a part of the identity when another
	// master has that.
	Name string
	// Nonvoter makes this master a member that never votes or leads, and only keeps a copy. It needs Join.
	Nonvoter bool
	// NodeID is this master's identity, a UUID; "" generates one and keeps it in RaftDir.
	NodeID string

	// BootstrapExpect is how many masters form the first cluster together. 0 never bootstraps if Join names a master,
	// and is 1 otherwise.
	BootstrapExpect int
	// Join are the host:gossip-port of other masters. Names are resolved again at every try.
	Join []string
	// PeerPort and GossipPort are not opened by a cluster of one; 0 takes a free one.
	PeerPort, GossipPort int
	// Cluster is the cluster's name: in the certificates' role and the gossip label.
	Cluster string
	// GossipKeys encrypt the gossip: 16, 24 or 32 bytes each; the first encrypts. Required for more than one master
	// with TLS.
	GossipKeys [][]byte
	// WAN chooses Raft timeouts for masters that are far apart.
	WAN bool

	// TLS serves the API over HTTPS. Without it keys and jobs travel in the clear.
	TLS bool
	// MTLS demands client certificates on the API port, verified against Files.CA.
	MTLS bool
	// Files are the API's certificate, key and CA. A cluster of one makes a self-signed certificate if it has neither
	// certificate nor key.
	Files Files
	// PeerFiles are those of the peer port; what is "" is taken from Files.
	PeerFiles Files

	// APIKey is the bootstrap admin key, or several, one a line: each is valid. "" lets everybody in, and is refused
	// with TLS.
	APIKey string
	// ReadAPIKey is called for the key instead, by New and by every Reload. It may be nil.
	ReadAPIKey func() (string, error)

	// MaxRetries is how often a job is retried after its first attempt, 0 to 100.
	MaxRetries int
	// RetryBase is the wait before the first retry, doubled for each further one up to RetryCap.
	RetryBase, RetryCap time.Duration
	// LeaseTTL is how long a running attempt outlives its agent's last heartbeat, 1 s to 1 h.
	LeaseTTL time.Duration
	// Retention is how long a finished job is kept, 1 s or more; 0 keeps it.
	Retention time.Duration
	// BackupURL is where the leader writes backups: a directory, or s3://BUCKET/PREFIX with the settings of AWS in the
	// environment. "" writes none.
	BackupURL string
	// BackupInterval is how often, 1 s or more.
	BackupInterval time.Duration
	// BackupKeep is how many of them are kept; 0 keeps all.
	BackupKeep int
	// StateCheckInterval is how often the masters compare their states, 1 s or more.
	StateCheckInterval time.Duration
	// MediaRoots are directories: the API and the console serve what completed jobs have written below them, at the
	// same paths as the agents have.
	MediaRoots []string
	// DiskReserve is the minimum free disk space in bytes; below it new jobs are refused. 0 does not watch the disk.
	DiskReserve uint64

	// Logger gets the log; nil logs nothing.
	Logger hclog.Logger
	// TracingEndpoint is the URL of an OTLP/HTTP collector; "" makes no traces.
	TracingEndpoint string
}

// Files are the paths of PEM files.
type Files struct{ Cert, Key, CA string }

func (f Files) internal() certs.Files { return certs.Files{Cert: f.Cert, Key: f.Key, CA: f.CA} }

func (f Files) orElse(defaults Files) Files {
	if f.Cert == "" && f.Key == "" {
		f.Cert, f.Key = defaults.Cert, defaults.Key
	}
	if f.CA == "" {
		f.CA = defaults.CA
	}
	return f
}

// Default is a cluster of one on the usual ports, with HTTPS and its state in the working directory. The API key is not
// set.
func Default() Config {
	return Config{
		Bind: "0.0.0.0", Port: 8080, Metrics: true, MetricsPort: 9090, PeerPort: 8300, GossipPort: 7946,
		DB: "master.db", Cluster: "default",
		TLS: true, Files: Files{Cert: "certs/master.crt", Key: "certs/master.key"},
		MaxRetries: 3, RetryBase: 5 * time.Second, RetryCap: 5 * time.Minute,
		LeaseTTL: 30 * time.Second, Retention: 168 * time.Hour, DiskReserve: 512 << 20,
		BackupInterval: 24 * time.Hour, BackupKeep: 7, StateCheckInterval: time.Minute,
	}
}

// complete fills in what follows from other fields.
func (c Config) complete() Config {
	if c.BootstrapExpect == 0 && len(c.Join) == 0 {
		c.BootstrapExpect = 1
	}
	if c.DB != "" && c.RaftDir == "" {
		c.RaftDir = strings.TrimSuffix(c.DB, filepath.Ext(c.DB)) + ".raft"
	}
	c.PeerFiles = c.PeerFiles.orElse(c.Files)
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	return c
}

// ConfigError says that a Config cannot work. Its text begins with the name of the field.
type ConfigError struct{ text string }

func (e *ConfigError) Error() string { return e.text }

func configErrorf(format string, args ...any) error {
	return &ConfigError{fmt.Sprintf(format, args...)}
}

// Validate returns a *ConfigError for the first value that cannot work. New calls it.
func (c Config) Validate() error {
	for _, check := range []func(Config) error{
		Config.checkPorts, Config.checkAddresses, Config.checkNames, Config.checkJobs, Config.checkSecurity,
		Config.checkBackup,
		Config.checkInterval,
	} {
		if err := check(c.complete()); err != nil {
			return err
		}
	}
	return nil
}

func (c Config) checkPorts() error {
	for _, p := range []struct {
		field string
		port  int
	}{{"Port", c.Port}, {"PeerPort", c.PeerPort}, {"GossipPort", c.GossipPort}, {"MetricsPort", c.MetricsPort}} {
		if p.port < 0 || p.port > 65535 {
			return configErrorf("%s must be between 1 and 65535, not %d", p.field, p.port)
		}
	}
	return nil
}

func (c Config) checkAddresses() error {
	if net.ParseIP(c.Bind) == nil {
		return configErrorf("Bind must be an IP address, not %q", c.Bind)
	}
	if net.ParseIP(c.Advertise) == nil && strings.ContainsAny(c.Advertise, ":/[] ") {
		return configErrorf("Advertise must be a host name or an IP address, without scheme and port, not %q",
			c.Advertise)
	}
	for _, address := range c.Join {
		host, port, err := net.SplitHostPort(address)
		if n, portErr := strconv.Atoi(port); err != nil || host == "" || portErr != nil || n < 1 || n > 65535 {
			return configErrorf("Join must be host:gossip-port, not %q", address)
		}
	}
	if c.TracingEndpoint == "" {
		return nil
	}
	if err := tracing.CheckEndpoint(c.TracingEndpoint); err != nil {
		return configErrorf("TracingEndpoint: %v", err)
	}
	return nil
}

func (c Config) checkNames() error {
	if c.NodeID != "" && !ffrtmp.IsID(c.NodeID) {
		return configErrorf("NodeID must be a UUID in lower case, not %q", c.NodeID)
	}
	if c.Nonvoter && (len(c.Join) == 0 || c.BootstrapExpect != 0) {
		return configErrorf("Nonvoter needs Join, and does not go with BootstrapExpect")
	}
	if c.Name != "" {
		if err := cluster.ValidateName(c.Name); err != nil {
			return configErrorf("Name %v", err)
		}
	}
	if c.Cluster == "" || strings.ContainsAny(c.Cluster, "/?# \t\n") || len(c.Cluster) > 63 {
		return configErrorf("Cluster must be 1 to 63 characters without spaces, '/', '?' or '#'")
	}
	if c.DB == "" && c.RaftDir != "" {
		return configErrorf("RaftDir needs DB: without it all state is in memory")
	}
	if c.BootstrapExpect < 0 {
		return configErrorf("BootstrapExpect must be at least 1, not %d", c.BootstrapExpect)
	}
	return nil
}

func (c Config) checkJobs() error {
	if ffrtmp.ValidateMaxRetries(c.MaxRetries) != nil {
		return configErrorf("MaxRetries must be between 0 and 100, not %d", c.MaxRetries)
	}
	if c.LeaseTTL < time.Second || c.LeaseTTL > time.Hour {
		return configErrorf("LeaseTTL must be between 1s and 1h, not %s", c.LeaseTTL)
	}
	if c.Retention != 0 && c.Retention < time.Second {
		return configErrorf("Retention must be at least 1s, or 0 to keep everything, not %s", c.Retention)
	}
	for _, dir := range c.MediaRoots {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return configErrorf("MediaRoots must be directories: %s is none", dir)
		}
	}
	if c.RetryBase <= 0 || c.RetryCap < c.RetryBase {
		return configErrorf("RetryBase must be more than 0 and at most RetryCap")
	}
	return nil
}

func (c Config) checkSecurity() error {
	switch {
	case c.MTLS && c.Files.CA == "":
		return configErrorf("MTLS needs Files.CA: without it no client could be verified")
	case c.MTLS && !c.TLS:
		return configErrorf("MTLS needs TLS")
	case c.clustered() && len(c.GossipKeys) == 0 && c.TLS:
		return configErrorf("GossipKeys are required in a cluster (make one with: openssl rand -base64 32)")
	case c.clustered() && c.PeerFiles.CA == "":
		return configErrorf("Files.CA (or PeerFiles.CA) is required in a cluster: masters verify each other")
	}
	return nil
}

// clustered reports whether this master has, or may get, peers.
func (c Config) clustered() bool { return c.BootstrapExpect != 1 || len(c.Join) > 0 }

// readAPIKey returns the bootstrap admin key; "" leaves the API open, which is only allowed without TLS.
func (c Config) readAPIKey() (string, error) {
	key := c.APIKey
	if c.ReadAPIKey != nil {
		var err error
		if key, err = c.ReadAPIKey(); err != nil {
			return "", err
		}
	}
	// Blank lines are no keys: without any key the API is open.
	if key = strings.Join(flags.Keys(key), "\n"); key == "" && c.TLS {
		return "", errors.New("the API key is empty: that opens the API to everybody and is only allowed without TLS " +
			"(--tls=false, development)")
	}
	return key, nil
}

// advertised is the host that others dial.
func (c Config) advertised() (string, error) {
	if c.Advertise != "" {
		return c.Advertise, nil
	}
	bind := net.ParseIP(c.Bind)
	if !bind.IsUnspecified() {
		return c.Bind, nil
	}
	addresses, err := globalAddresses()
	if err != nil {
		return "", fmt.Errorf("find an address to advertise: %w", err)
	}
	private := slices.IndexFunc(addresses, func(ip net.IP) bool {
		return ip.IsPrivate() && (bind.To4() == nil || ip.To4() != nil)
	})
	switch {
	case private >= 0:
		return addresses[private].String(), nil
	case c.clustered():
		return "", configErrorf("Advertise is required: this host has no private address that other masters could dial")
	}
	return "127.0.0.1", nil
}

// globalAddresses are those of this host's interfaces that other hosts could dial.
func globalAddresses() ([]net.IP, error) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var ips []net.IP
	for _, address := range addresses {
		if prefix, ok := address.(*net.IPNet); ok && prefix.IP.IsGlobalUnicast() {
			ips = append(ips, prefix.IP)
		}
	}
	return ips, nil
}
