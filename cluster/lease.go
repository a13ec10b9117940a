package cluster

import (
	"errors"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"
)

// instant is a moment on two clocks. Go's own monotonic clock stands still while the
// machine sleeps, and the wall clock may be set back: the one that moved further is right.
type instant struct {
	boot time.Duration // since the machine started, with the time that it slept
	wall time.Time
}

func now() instant {
	i := instant{wall: time.Now().Round(0)}
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) == nil { // fails on no Linux since 2.6.39
		i.boot = time.Duration(ts.Nano())
	}
	return i
}

// since returns the time from earlier to i.
func (i instant) since(earlier instant) time.Duration {
	return max(i.boot-earlier.boot, i.wall.Sub(earlier.wall))
}

// errLeaseExpired says that a leader has not heard from a majority for so long that
// another may lead.
var errLeaseExpired = errors.New("no majority has confirmed this leader of late")

// CheckLease returns nil if no other master can lead: a majority of the voters has confirmed
// a request of this leader that was sent within the time after which a follower stands for
// election. Raft itself checks from time to time, and so not between two moments in which the
// process did not run.
func (n *Node) CheckLease() error {
	if n.raft.State() != raft.Leader {
		return raft.ErrNotLeader
	}
	limit := n.cfg.Timing.Heartbeat
	if n.cfg.networked() && !n.verifier.leased(now(), limit, n.raft.CurrentTerm(), n.id.ID, n.voters()) {
		return errLeaseExpired
	}
	return nil
}
