package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ffrtmp/ffrtmp/internal/flags"
	"github.com/ffrtmp/ffrtmp/internal/gossipkey"
	"github.com/ffrtmp/ffrtmp/master"
)

// config is the master's command line, checked.
type config struct {
	master.Config
	gossipKeyFile string
	timing        string
	diskReserve   flags.Bytes
	generateCert  bool
	certificate   master.CertificateOptions
	log           flags.Log
	tracing       flags.Tracing
	legacy        legacy
	usage         string
}

// fieldFlags name the flags of fields in the messages of master.ConfigError; longer names come first.
var fieldFlags = strings.NewReplacer(
	"BootstrapExpect", "--bootstrap-expect", "GossipKeys", "--gossip-key-file", "GossipPort", "--gossip-port",
	"PeerFiles.CA", "--peer-ca", "PeerPort", "--peer-port", "Files.CA", "--ca",
	"MetricsPort", "--metrics-port", "Port", "--port",
	"Advertise", "--advertise", "Bind", "--bind", "Join", "--join", "Cluster", "--cluster",
	"NodeID", "--node-id", "Name", "--name", "Nonvoter", "--nonvoter", "TracingEndpoint", "--tracing-endpoint",
	"RaftDir", "--raft-dir", "DB", "--db", "MaxRetries", "--max-retries",
	"LeaseTTL", "--lease-ttl", "Retention", "--retention", "MediaRoots", "--media-root",
	"BackupURL", "--backup-url", "BackupInterval", "--backup-interval", "BackupKeep", "--backup-keep",
	"StateCheckInterval", "--state-check-interval",
	"RetryBase", "--retry-base", "RetryCap", "--retry-cap",
	"MTLS", "--mtls", "needs TLS", "does not go with --tls=false",
)

// parse reads the command line and the environment. Errors are flags.ErrUsage,
// flags.ErrVersion or pflag.ErrHelp.
func parse(args []string, lookup func(string) (string, bool)) (*config, error) {
	c := &config{Config: master.Default()}
	c.diskReserve = flags.Bytes(c.DiskReserve)
	fs := flags.NewSet("master")
	c.register(fs)
	var err error
	if c.usage, err = flags.ParseDaemon(fs, args, lookup); err != nil {
		return c, err
	}
	c.ReadAPIKey = func() (string, error) { return readAPIKey(fs, lookup) }
	c.WAN, c.DiskReserve, c.TracingEndpoint = c.timing == "wan", uint64(c.diskReserve), c.tracing.Endpoint()
	c.legacy.apply(fs, c)
	c.legacy.variables(lookup)
	if fs.Changed("bootstrap-expect") && c.BootstrapExpect < 1 {
		return c, flags.Usagef("--bootstrap-expect must be at least 1; leave it out to join only")
	}
	return c, c.check()
}

func (c *config) register(fs *pflag.FlagSet) {
	fs.IntVar(&c.Port, "port", c.Port, "API port (HTTPS unless --tls=false)")
	fs.StringVar(&c.Bind, "bind", c.Bind, "address that every listener binds")
	fs.StringVar(&c.Advertise, "advertise", "",
		"host name or address that others dial (default: the first private address)")
	fs.StringVar(&c.DB, "db", c.DB, `SQLite state; "" keeps all state in memory (development)`)
	fs.StringVar(&c.RaftDir, "raft-dir", "",
		"Raft log, snapshots and identity (default: --db without its extension, and .raft)")
	fs.StringVar(&c.Name, "name", "",
		"name of this master, unique in the cluster (default: the host's name, with a part of the id when it is taken)")
	fs.BoolVar(&c.Nonvoter, "nonvoter", false,
		"join without a vote, for good: keep a copy and serve reads (needs --join)")
	fs.StringVar(&c.NodeID, "node-id", "",
		"identity of this master, a UUID (default: generated once and kept in the Raft directory)")
	fs.IntVar(&c.BootstrapExpect, "bootstrap-expect", 0,
		"masters that form the first cluster together (default: 1 without --join; with it, never bootstrap)")
	fs.StringSliceVar(&c.Join, "join", nil, "host:gossip-port of other masters, repeatable or comma-separated")
	fs.IntVar(&c.PeerPort, "peer-port", c.PeerPort, "Raft and forwarding between masters, always mutual TLS")
	fs.IntVar(&c.GossipPort, "gossip-port", c.GossipPort, "membership gossip")
	fs.StringVar(&c.Cluster, "cluster", c.Cluster,
		"name of the cluster: in the certificates' role and the gossip label")
	fs.StringVar(&c.gossipKeyFile, "gossip-key-file", "",
		"base64 keys of 16, 24 or 32 bytes, one a line; the first encrypts")
	fs.StringVar(&c.timing, "timing", "local", "Raft timeouts: local (one site) or wan")
	c.registerTLS(fs)
	fs.String("api-key", "", "bootstrap admin key; a file or MASTER_API_KEY keeps it out of process listings")
	fs.String("api-key-file", "", "file that holds the bootstrap admin key, or several, one a line: each is valid")
	fs.IntVar(&c.MaxRetries, "max-retries", c.MaxRetries, "retries of a job after its first run")
	fs.DurationVar(&c.LeaseTTL, "lease-ttl", c.LeaseTTL,
		"how long a running attempt outlives its agent's last heartbeat")
	fs.DurationVar(&c.Retention, "retention", c.Retention, "how long a finished job is kept; 0 keeps it")
	fs.StringSliceVar(&c.MediaRoots, "media-root", nil,
		"directory whose outputs of completed jobs are served for download, at the paths that agents have; repeatable")
	fs.StringVar(&c.BackupURL, "backup-url", "",
		"where the leader writes backups: a directory, or s3://BUCKET/PREFIX with AWS_* in the environment")
	fs.DurationVar(&c.BackupInterval, "backup-interval", c.BackupInterval, "how often the leader writes a backup")
	fs.IntVar(&c.BackupKeep, "backup-keep", c.BackupKeep, "backups to keep at --backup-url; 0 keeps all")
	fs.DurationVar(&c.StateCheckInterval, "state-check-interval", c.StateCheckInterval,
		"how often the masters compare their states")
	fs.DurationVar(&c.RetryBase, "retry-base", c.RetryBase, "wait before the first retry; doubled for each further one")
	fs.DurationVar(&c.RetryCap, "retry-cap", c.RetryCap, "longest wait before a retry")
	fs.Var(&c.diskReserve, "disk-reserve",
		"minimum free disk space; below it new jobs are refused (results are still accepted); 0 is none")
	fs.BoolVar(&c.Metrics, "metrics", c.Metrics, "serve Prometheus metrics and /health on --metrics-port")
	fs.IntVar(&c.MetricsPort, "metrics-port", c.MetricsPort, "port of the metrics")
	c.log.Register(fs)
	c.tracing.Register(fs)
	c.legacy.register(fs)
}

func (c *config) registerTLS(fs *pflag.FlagSet) {
	fs.BoolVar(&c.TLS, "tls", c.TLS, "serve the API over HTTPS; --tls=false is for development")
	fs.StringVar(&c.Files.Cert, "cert", c.Files.Cert,
		"certificate of the API; made self-signed when it and --key are missing")
	fs.StringVar(&c.Files.Key, "key", c.Files.Key, "key of the API's certificate")
	fs.StringVar(&c.Files.CA, "ca", "", "CA that clients, agents and peers are verified against")
	fs.BoolVar(&c.MTLS, "mtls", false, "demand client certificates on the API port (needs --ca)")
	fs.StringVar(&c.PeerFiles.Cert, "peer-cert", "", "certificate on the peer port (default: --cert)")
	fs.StringVar(&c.PeerFiles.Key, "peer-key", "", "key on the peer port (default: --key)")
	fs.StringVar(&c.PeerFiles.CA, "peer-ca", "", "CA of the peer port (default: --ca)")
	fs.BoolVar(&c.generateCert, "generate-cert", false, "write --cert and --key and exit")
	fs.BoolVar(&c.certificate.Force, "force", false, "with --generate-cert: replace an existing certificate and key")
	fs.StringVar(&c.certificate.CAKey, "ca-key", "", "with --generate-cert: key of --ca, which then signs")
	fs.StringSliceVar(&c.certificate.Hosts, "cert-hosts", nil, "with --generate-cert: further host names")
	fs.StringSliceVar(&c.certificate.IPs, "cert-ips", nil, "with --generate-cert: further IP addresses")
	fs.StringVar(&c.certificate.Role, "cert-role", "", "with --generate-cert: role in the certificate, master or agent")
}

// check refuses values that cannot work, naming the flag.
func (c *config) check() error {
	for name, port := range map[string]int{
		"port": c.Port, "peer-port": c.PeerPort, "gossip-port": c.GossipPort, "metrics-port": c.MetricsPort,
	} {
		if port == 0 { // 0, a free port, is for programs that embed a master
			return flags.Usagef("--%s must be between 1 and 65535, not 0", name)
		}
	}
	if !slices.Contains([]string{"local", "wan"}, c.timing) {
		return flags.Usagef("--timing must be local or wan, not %q", c.timing)
	}
	if err := c.log.Check(); err != nil {
		return err
	}
	if err := c.checkMaster(); err != nil {
		return err
	}
	return c.checkCertificate()
}

// checkMaster checks the fields. It assumes that the gossip key file is readable; start reads it.
func (c *config) checkMaster() error {
	m := c.Config
	if c.gossipKeyFile != "" {
		m.GossipKeys = [][]byte{gossipkey.New()}
	}
	return usage(m.Validate())
}

// usage turns a master.ConfigError into a usage error that names flags.
func usage(err error) error {
	var wrong *master.ConfigError
	if errors.As(err, &wrong) {
		return flags.Usagef("%s", fieldFlags.Replace(wrong.Error()))
	}
	return err
}

func (c *config) checkCertificate() error {
	o := c.certificate
	if !c.generateCert {
		if o.CAKey != "" || o.Role != "" || len(o.Hosts) > 0 || len(o.IPs) > 0 || o.Force {
			return flags.Usagef("--force, --ca-key, --cert-hosts, --cert-ips and --cert-role go with --generate-cert")
		}
		return nil
	}
	if (o.CAKey == "") != (c.Files.CA == "") {
		return flags.Usagef("--generate-cert signs with --ca and --ca-key together, " +
			"and without both makes a self-signed certificate")
	}
	if err := o.Validate(); err != nil {
		return flags.Usagef("--cert-role, --cert-ips: %v", err)
	}
	return nil
}

// readAPIKey returns the bootstrap admin key, which may be set to "".
func readAPIKey(fs *pflag.FlagSet, lookup func(string) (string, bool)) (string, error) {
	key, set, err := flags.APIKey(fs, lookup)
	if err == nil && !set {
		return "", errors.New("no API key: set MASTER_API_KEY or --api-key-file, for example\n" +
			"  export MASTER_API_KEY=$(openssl rand -base64 32)")
	}
	return key, err
}

// readGossipKeys fills in the keys of --gossip-key-file.
func (c *config) readGossipKeys() error {
	if c.gossipKeyFile == "" {
		return nil
	}
	data, err := os.ReadFile(c.gossipKeyFile)
	if err != nil {
		return fmt.Errorf("--gossip-key-file: %w", err)
	}
	if c.GossipKeys, err = gossipkey.Parse(data); err != nil {
		return fmt.Errorf("--gossip-key-file: %w", err)
	}
	if len(c.GossipKeys) == 0 {
		return fmt.Errorf("--gossip-key-file: %s has no key (make one with: openssl rand -base64 32)", c.gossipKeyFile)
	}
	return nil
}
