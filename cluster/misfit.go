package cluster

import (
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// misfitMemory is how long a misfit is reported after it was last met. Masters that cannot
// work together meet again every second.
const misfitMemory = 15 * time.Second

// misfits are masters that this one has met and cannot work with. Safe for concurrent use.
type misfits struct {
	log hclog.Logger

	mu  sync.Mutex
	met map[string]misfit // by what is known of the master
}

type misfit struct {
	reason string
	last   time.Time
}

func newMisfits(log hclog.Logger) *misfits { return &misfits{log: log, met: map[string]misfit{}} }

// meet takes in why a master does not fit, and logs it when it is new.
func (m *misfits) meet(who, reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if known := m.met[who]; known.reason != reason || now.Sub(known.last) > misfitMemory {
		m.log.Error("cannot work with another master", "with", who, "reason", reason)
	}
	m.met[who] = misfit{reason, now}
}

// list returns the misfits that were met a short time ago.
func (m *misfits) list() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []string
	for who, one := range m.met {
		if time.Since(one.last) > misfitMemory {
			delete(m.met, who)
			continue
		}
		all = append(all, "cannot work with "+who+": "+one.reason)
	}
	slices.Sort(all)
	return all
}

// Misfits returns which masters this one has met and cannot work with, and why.
func (n *Node) Misfits() []string { return n.misfits.list() }

// judge compares the view with what this master was started with.
func (n *Node) judge(alive []gossipMember) {
	own := n.formation.current()
	for _, m := range alive {
		who := fmt.Sprintf("%s (gossip %s)", m.Name, m.Gossip)
		switch {
		case m.ID == n.id.ID:
		case own.Formed && m.Formed && m.Cluster != own.ClusterID:
			n.misfits.meet(who, fmt.Sprintf("it belongs to the cluster %s, this master to %s; "+
				"one of them joins with --join where it should not, or must be emptied to become a member",
				m.Cluster, own.ClusterID))
		case !own.Formed && !m.Formed && m.Expect != n.cfg.Expect && m.Expect != 0 && n.cfg.Expect != 0:
			n.misfits.meet(who, fmt.Sprintf("it was started with --bootstrap-expect %d, this master with %d",
				m.Expect, n.cfg.Expect))
		}
	}
}

const cutOff = "it hangs up: it may have been started with another --cluster name"

// gossipFaults maps a part of memberlist's errors to what does not fit.
var gossipFaults = []struct{ text, reason string }{
	{"no installed keys could decrypt", "it uses another gossip key (--gossip-key-file)"},
	{"encryption is not configured", "it encrypts gossip, and this master has no --gossip-key-file"},
	{"is not encrypted", "it does not encrypt gossip, and this master has a --gossip-key-file"},
	{"unacceptable label", "it was started with another --cluster name"},
	{"EOF", cutOff},
}

// gossipFault returns what does not fit, "" for other errors.
func gossipFault(text string) string {
	for _, f := range gossipFaults {
		if strings.Contains(text, f.text) {
			return f.reason
		}
	}
	return ""
}

// refusedStream matches memberlist's log of a connection that it refuses; it has no other
// way to report one.
var refusedStream = regexp.MustCompile(`memberlist: (?:failed to receive|discarding stream).* from=(\S+)`)

// faultWriter finds misfits in memberlist's log. The port is that of a connection, so only
// the host tells which master it is.
type faultWriter struct {
	misfits *misfits
	log     io.Writer
}

// Write implements io.Writer.
func (w faultWriter) Write(line []byte) (int, error) {
	if found := refusedStream.FindSubmatch(line); found != nil {
		if reason := gossipFault(string(line)); reason != "" {
			host, _, err := net.SplitHostPort(string(found[1]))
			if err != nil {
				host = string(found[1])
			}
			w.misfits.meet("a master at "+host, reason)
		}
	}
	return w.log.Write(line)
}
