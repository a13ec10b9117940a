package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// defaultTwinTimeout is how long a living process may take to answer: an address is given up
// to another process only when it does not.
const defaultTwinTimeout = 2 * time.Second

// TwinError says that another process with this master's identity is running: one of
// the two data directories is a copy of the other.
type TwinError struct {
	ID      string
	Address string // of the other
}

func (e *TwinError) Error() string {
	return fmt.Sprintf("the identity %s is in use at %s: this data directory is a copy; "+
		"empty it, and this master joins as a new member", e.ID, e.Address)
}

// twins counts the identities that answered at two addresses, for the metrics.
type twins struct {
	mu   sync.Mutex
	seen map[twin]time.Time
}

// twin is an identity, the address that the cluster keeps and the one it refuses.
type twin struct{ id, address, refused string }

var descTwin = prometheus.NewDesc("ffmpeg_master_identity_conflict_timestamp_seconds",
	"When a second process with a master's identity was last refused.", []string{"node_id", "address", "refused"}, nil)

func (t *twins) add(found twin) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil {
		t.seen = map[twin]time.Time{}
	}
	t.seen[found] = time.Now()
}

func (t *twins) collect(out chan<- prometheus.Metric) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for found, at := range t.seen {
		out <- prometheus.MustNewConstMetric(descTwin, prometheus.GaugeValue, float64(at.UnixMilli())/1e3,
			found.id, found.address, found.refused)
	}
}

// runsElsewhere reports whether another process than run is alive as the member, and
// where: it is asked for where the member was met, or else was last known to be.
func (n *Node) runsElsewhere(ctx context.Context, id, run, peer string) (address string, found bool) {
	address, same := n.memory.met(id, run)
	if address == "" {
		known, _ := n.book.lookup(id)
		address = known.Peer
	}
	if same || address == "" || address == peer {
		return "", false
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.twinTimeout)
	defer cancel()
	client := newPeerClient(addressOf{id: address}, n.cfg.PeerClientTLS)
	defer client.closeIdle()
	var s status
	if err := client.call(ctx, id, "status", nil, &s); err != nil || s.Run == run {
		return "", false
	}
	n.twins.add(twin{id, address, peer})
	n.log.Error("a second master with the same identity is refused: its data directory is a copy",
		"id", id, "name", n.nameOf(id), "address", address, "refused", peer)
	return address, true
}

// addressOf is the address book of one question.
type addressOf map[string]string

func (a addressOf) lookup(id string) (found address, ok bool) {
	found.Peer, ok = a[id]
	return found, ok
}
