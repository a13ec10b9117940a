package cluster

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"
)

// StateMachine applies the log. Raft calls Apply, ApplyBatch, Snapshot and
// Restore from one goroutine at a time; only [Open] calls the other methods,
// before Raft runs.
type StateMachine interface {
	raft.BatchingFSM
	// Applied returns the index and term of the last entry that the durable
	// state reflects, or zeros.
	Applied() (index, term uint64)
	// Verify reports why the local state cannot be trusted, or nil.
	Verify() error
	// Discard removes the local state; snapshot and log rebuild it.
	Discard() error
	// SetClusterID is called once, with a function that returns the id of the
	// cluster, "" while it is unknown. Snapshots carry it.
	SetClusterID(id func() string)
	// SetAside moves the local state into dir and begins with an empty one: it
	// holds what snapshot and log do not.
	SetAside(dir string) error
	// SnapshotIndex returns the applied index that a stored snapshot records.
	SnapshotIndex(r io.Reader) (uint64, error)
}

// Timing holds the timeouts of a cluster. All members should use the same.
type Timing struct {
	// Heartbeat is how long a follower waits for its leader before it stands
	// for election, Election how long a candidate waits for votes, and Lease
	// how long a leader without a majority waits before it steps down.
	Heartbeat, Election, Lease time.Duration
	// Stabilization is how long a new master must be healthy before it votes.
	Stabilization time.Duration
}

// Local is the default, for one machine or one data centre; WAN is for masters
// that are far apart.
var (
	Local = Timing{
		Heartbeat: 500 * time.Millisecond, Election: 500 * time.Millisecond,
		Lease: 250 * time.Millisecond, Stabilization: 2 * time.Second,
	}
	WAN = Timing{
		Heartbeat: 3 * time.Second, Election: 3 * time.Second,
		Lease: 1500 * time.Millisecond, Stabilization: 10 * time.Second,
	}
)

// Config configures [Open]. The zero value of a field means its default.
type Config struct {
	NodeID string // identity; "" = generated once and kept in Dir
	Name   string // unique in the cluster; "" = the host's, with a part of the id when that is taken
	Dir    string // log, snapshots, identity; "" = everything in memory

	// Nonvoter makes this master a member that never votes, and replicates only.
	Nonvoter bool
	// Settings returns a replicated setting of the cluster, "" when it is not set. nil = none is.
	Settings func(key string) string

	Cluster string // name of the cluster, the label of its gossip
	Version string // sent to the other members
	APIURL  string // where clients reach this master; sent to the other members
	// MetricsPort serves metrics on the host of APIURL; 0 = none. It is sent to the other members.
	MetricsPort int
	// CommandLevel is the highest command kind that this build can apply. It is
	// sent to the other members.
	CommandLevel int

	// Certificates returns when this master's certificates expire, by name; nil = it has none.
	Certificates func() map[string]time.Time

	// DiskReserve is the minimum free space of Dir's disk, in bytes; below it new
	// work is refused and results are still accepted: see [Node.CheckDiskSpace].
	// 0 = the disk is not watched.
	DiskReserve uint64

	Expect int      // masters that form the first cluster; 0 = join only
	Join   []string // host:gossip-port; names are resolved at every attempt

	Bind       string // IP that both ports listen on; "" = all
	Advertise  string // host or IP that others dial; "" = Bind or a private address
	PeerPort   int    // 0 = any free port
	GossipPort int    // 0 = any free port

	GossipKeys     [][]byte // 16, 24 or 32 bytes each; the first encrypts
	GossipKeysFile string   // keyring on disk; "" = in Dir

	// PeerServerTLS and PeerClientTLS admit masters of this cluster only. They
	// may be nil for a single master (Expect 1, no Join), which opens no port.
	PeerServerTLS, PeerClientTLS *tls.Config

	// Replica compares and copies this master's state. Its functions may be nil for a single master.
	Replica Replica

	// Forward serves the requests that other masters send to this one.
	Forward http.Handler

	Timing  Timing // zero = Local
	Logger  hclog.Logger
	Phase   func(string)          // receives what Open does next; may be nil
	Metrics prometheus.Registerer // nil = none

	// diskFree returns the free bytes of Dir's disk. Tests replace it.
	diskFree func() (uint64, error)

	// trailingLogs is how many entries stay after a snapshot. Tests lower it.
	trailingLogs uint64
	// statusTimeout and twinTimeout bound the wait for another master's answer. Tests raise
	// them: on a busy machine a living master answers late.
	statusTimeout, twinTimeout time.Duration
}

// idPattern keeps an id usable as a gossip name and as a URL's host.
var idPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,63}$`)

// withDefaults fills in defaults and rejects a field that cannot be used.
func (c Config) withDefaults() (Config, error) {
	if c.Timing == (Timing{}) {
		c.Timing = Local
	}
	if c.Phase == nil {
		c.Phase = func(string) {}
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.diskFree == nil {
		c.diskFree = func() (uint64, error) { return freeBytes(c.Dir) }
	}
	c.statusTimeout = cmp.Or(c.statusTimeout, defaultStatusTimeout)
	c.twinTimeout = cmp.Or(c.twinTimeout, defaultTwinTimeout)
	c.trailingLogs = cmp.Or(c.trailingLogs, defaultTrailingLogs)
	if c.Forward == nil {
		c.Forward = http.NotFoundHandler()
	}
	if c.NodeID != "" && !idPattern.MatchString(c.NodeID) {
		return c, fmt.Errorf("node id %q: must match %s", c.NodeID, idPattern)
	}
	if c.Name != "" {
		if err := ValidateName(c.Name); err != nil {
			return c, fmt.Errorf("name: %w", err)
		}
	}
	if c.Nonvoter && (c.Expect != 0 || len(c.Join) == 0) {
		return c, errors.New("nonvoter: needs a master to join, and cannot form a cluster")
	}
	if c.Expect < 0 {
		return c, fmt.Errorf("expect: %d is negative", c.Expect)
	}
	if c.Expect == 0 && len(c.Join) == 0 {
		return c, errors.New("expect: must be at least 1 without a master to join")
	}
	for _, addr := range c.Join {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return c, fmt.Errorf("join: %q is not host:port", addr)
		}
	}
	if (c.PeerServerTLS == nil) != (c.PeerClientTLS == nil) {
		return c, errors.New("peer TLS: server and client configuration must be given together")
	}
	if c.PeerServerTLS == nil && (c.Expect != 1 || len(c.Join) > 0) {
		return c, errors.New("peer TLS: required for more than one master")
	}
	return c, nil
}

// networked reports whether this master connects to others.
func (c Config) networked() bool { return c.PeerServerTLS != nil }
