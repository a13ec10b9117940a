package cluster

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

const (
	// maxSlowdown is how many times as long as configured the timeouts become.
	maxSlowdown = 4
	// So many late heartbeats within a window double the timeouts. Those of one moment
	// count once: they have one cause.
	lateLimit  = 3
	lateWindow = 10 * time.Second
	lateMoment = 500 * time.Millisecond
	// So do so many leaders that were replaced after a timeout. While heartbeats are late,
	// each counts as one of them.
	replacedLimit  = 5
	replacedWindow = 30 * time.Second
	// calmWindow without either halves them again.
	calmWindow = 30 * time.Second
)

// detection adapts to the machine how soon a leader is suspected: on a machine that is so
// busy that heartbeats are late, short timeouts replace leaders that are alive, again and
// again. The death of a process needs no timeout, see crashHint.
type detection struct {
	timing  Timing
	log     hclog.Logger
	changed chan struct{} // receives when slowdown has changed

	mu       sync.Mutex
	slowdown int         // 1, 2 or 4
	late     []time.Time // moments with a late heartbeat
	replaced []time.Time // leaders replaced after a timeout
	busy     time.Time   // the last moment that needed the present slowdown
	votes    termVote
	led      uint64 // the term of the newest known leader
	last     arrival
}

// termVote is how the newest known candidate came to stand.
type termVote struct {
	term  uint64
	asked bool // by a leader that stops, or by the crash hint
}

// arrival is the newest heartbeat that this follower has received.
type arrival struct {
	leader string
	term   uint64
	at     time.Time
}

func newDetection(timing Timing, log hclog.Logger) *detection {
	return &detection{timing: timing, log: log, slowdown: 1, changed: make(chan struct{}, 1)}
}

// factor is how many times as long as configured the timeouts are.
func (d *detection) factor() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.slowdown
}

// heartbeatTimeout is how long a follower waits for its leader.
func (d *detection) heartbeatTimeout() time.Duration {
	return d.timing.Heartbeat * time.Duration(d.factor())
}

// patience is how long a leader that hears from no majority continues, beyond Raft's own
// lease; 0 while the timeouts are as configured.
func (d *detection) patience() time.Duration {
	if d.factor() == 1 {
		return 0
	}
	return d.heartbeatTimeout() - d.timing.Lease
}

// received takes in that a follower has received a heartbeat.
func (d *detection) received(now time.Time, leader string, term uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if last := d.last; last.leader == leader && last.term == term {
		d.delayLocked(now, now.Sub(last.at), d.timing.Heartbeat/2)
	}
	d.last = arrival{leader, term, now}
}

// confirmed takes in that the last request of a leader which a majority has confirmed was sent age ago.
func (d *detection) confirmed(now time.Time, age time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delayLocked(now, age, d.timing.Lease*3/4)
}

// delayLocked takes in a delay; one up to allowed is no reason to wait longer than
// configured. A process that was stopped, or cut off, is not slow.
func (d *detection) delayLocked(now time.Time, delay, allowed time.Duration) {
	if delay > 2*d.timing.Heartbeat || delay <= allowed*time.Duration(d.slowdown)/2 {
		return
	}
	if d.slowdown > 1 {
		d.busy = now
	}
	if delay > allowed*time.Duration(d.slowdown) {
		d.lateLocked(now)
	}
}

func (d *detection) lateLocked(now time.Time) {
	if len(d.late) > 0 && now.Sub(d.late[len(d.late)-1]) < lateMoment {
		return
	}
	d.late = recent(append(d.late, now), now, lateWindow)
	if len(d.late) >= lateLimit {
		d.slowLocked(now, "heartbeats are late")
	}
}

// voteAsked takes in that a candidate asks for votes.
func (d *detection) voteAsked(req *raft.RequestVoteRequest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if req.Term >= d.votes.term {
		d.votes = termVote{req.Term, req.LeadershipTransfer}
	}
}

// leads takes in that a leader of a term is known.
func (d *detection) leads(now time.Time, term uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := d.led == 0
	if term <= d.led {
		return
	}
	d.led = term
	if first || d.votes.term != term || d.votes.asked {
		return
	}
	d.busy = now
	d.replaced = recent(append(d.replaced, now), now, replacedWindow)
	if len(d.replaced) >= replacedLimit {
		d.slowLocked(now, "leaders change without a death")
	} else if d.late = recent(d.late, now, lateWindow); len(d.late) > 0 {
		d.lateLocked(now)
	}
}

func (d *detection) slowLocked(now time.Time, reason string) {
	d.late, d.replaced, d.busy = nil, nil, now
	if d.slowdown < maxSlowdown {
		d.setLocked(2*d.slowdown, reason)
	}
}

// tick returns to shorter timeouts after a time of calm.
func (d *detection) tick(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.slowdown > 1 && now.Sub(d.busy) >= calmWindow {
		d.busy = now
		d.setLocked(d.slowdown/2, "heartbeats are on time again")
	}
}

func (d *detection) setLocked(slowdown int, reason string) {
	d.slowdown = slowdown
	d.log.Info("failure detection adapts to the machine", "reason", reason,
		"heartbeat_timeout", d.timing.Heartbeat*time.Duration(slowdown))
	select {
	case d.changed <- struct{}{}:
	default: // one is on its way
	}
}

// recent returns those of the times that are within a window.
func recent(times []time.Time, now time.Time, window time.Duration) []time.Time {
	return slices.DeleteFunc(times, func(t time.Time) bool { return now.Sub(t) > window })
}

// observeElections is a raft.FilterFn that notices candidates and leaders.
func (n *Node) observeElections(o *raft.Observation) bool {
	switch seen := o.Data.(type) {
	case raft.RequestVoteRequest:
		n.detection.voteAsked(&seen)
	case raft.LeaderObservation:
		if seen.LeaderID != "" {
			n.detection.leads(time.Now(), n.raft.CurrentTerm())
		}
	}
	return false
}

// majorityConfirms takes in that a member has answered a heartbeat of this leader.
func (n *Node) majorityConfirms(term uint64) {
	select {
	case <-n.raftOpened:
	default:
		return // it is being opened
	}
	if age, known := n.verifier.age(now(), term, n.id.ID, n.voters()); known {
		n.detection.confirmed(time.Now(), age)
	}
}

// adaptTimeouts gives Raft the timeouts that detection finds right.
func (n *Node) adaptTimeouts(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		changed := n.lead.next()
		n.setTimeouts()
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				n.detection.tick(now)
			case <-n.detection.changed:
				waiting = false
			case <-changed:
				waiting = false
			}
		}
	}
}

// setTimeouts sets them. A leader sends heartbeats as often as ever: other followers may
// wait less long than it would.
func (n *Node) setTimeouts() {
	factor := time.Duration(n.detection.factor())
	heartbeat := n.cfg.Timing.Heartbeat * factor
	if leader, _ := n.lead.known(); leader == n.id.ID {
		heartbeat = n.cfg.Timing.Heartbeat
	}
	n.reload(func(c *raft.ReloadableConfig) {
		c.HeartbeatTimeout, c.ElectionTimeout = heartbeat, n.cfg.Timing.Election*factor
	})
}

// reload changes Raft's configuration.
func (n *Node) reload(change func(*raft.ReloadableConfig)) {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	config := n.raft.ReloadableConfig()
	before := config
	change(&config)
	if config == before {
		return
	}
	if err := n.raft.ReloadConfig(config); err != nil {
		n.log.Error("cannot change Raft's configuration", "error", err)
	}
}
