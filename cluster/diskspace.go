package cluster

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	diskTick = time.Second
	// diskSilence is how long a voter that does not answer keeps its last state.
	diskSilence = 10 * time.Second
	// diskHysteresis is how many bytes above the reserve must be free before a
	// disk that was low is no longer low.
	diskHysteresis = 64 << 20
)

// diskSpace watches the free space on the disks of the voters. A log that cannot
// grow accepts no results either, so new work is refused while there is still
// space for the results of accepted work.
type diskSpace struct {
	reserve uint64                 // bytes
	free    func() (uint64, error) // of the raft directory's disk

	low   atomic.Bool // this master's disk has less than the reserve
	short atomic.Bool // on a leader: no majority without the voters whose disks are low

	seen map[string]time.Time // on a leader: when a voter's disk last was not low
}

// freeBytes returns how many bytes of a directory's file system this process can
// use.
func freeBytes(dir string) (uint64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0, fmt.Errorf("free disk space of %s: %w", dir, err)
	}
	return stat.Bavail * uint64(stat.Bsize), nil
}

// measure updates the state of this master's own disk.
func (d *diskSpace) measure() error {
	free, err := d.free()
	if err != nil {
		return err
	}
	enough := d.reserve
	if d.low.Load() {
		enough += diskHysteresis
	}
	d.low.Store(free < enough)
	return nil
}

// countVoters updates a leader's view from the voters' statuses. A new leader
// assumes that the voters that do not answer have enough space.
func (d *diskSpace) countVoters(now time.Time, voters []string, statuses map[string]status) {
	seen := make(map[string]time.Time, len(voters))
	for _, id := range voters {
		s, answered := statuses[id]
		switch last, known := d.seen[id]; {
		case answered && s.DiskLow:
		case answered, d.seen == nil:
			seen[id] = now
		case known && now.Sub(last) < diskSilence:
			seen[id] = last
		}
	}
	d.seen = seen
	d.short.Store(len(seen) < len(voters)/2+1)
}

// reset clears a leader's view.
func (d *diskSpace) reset() {
	d.seen = nil
	d.short.Store(false)
}

// watchDisk watches free disk space until ctx ends.
func (n *Node) watchDisk(ctx context.Context) {
	tick := time.NewTicker(diskTick)
	defer tick.Stop()
	for {
		n.checkOwnDisk()
		if n.IsLeader() {
			n.checkVoterDisks(ctx)
		} else {
			n.space.reset()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// checkOwnDisk logs when this master's disk becomes low, or no longer is.
func (n *Node) checkOwnDisk() {
	was := n.DiskLow()
	err := n.space.measure()
	switch low := n.DiskLow(); {
	case err != nil:
		n.log.Error("cannot read free disk space", "error", err)
	case low && !was:
		n.log.Warn("disk is nearly full", "dir", n.cfg.Dir, "reserve_bytes", n.space.reserve)
	case was && !low:
		n.log.Info("disk has enough free space again", "dir", n.cfg.Dir)
	}
}

// checkVoterDisks asks the voters for their disks. A leader whose own disk is low
// transfers leadership to one whose disk is not.
func (n *Node) checkVoterDisks(ctx context.Context) {
	voters := n.voters()
	statuses := n.statuses(ctx, voters)
	n.space.countVoters(time.Now(), voters, statuses)
	if !n.DiskLow() {
		return
	}
	for id, s := range statuses {
		if id == n.id.ID || s.DiskLow {
			continue
		}
		n.log.Warn("disk is nearly full; transferring leadership")
		if err := n.TransferLeadership(ctx, ""); err != nil {
			n.log.Warn("cannot transfer leadership", "error", err)
		}
		return
	}
}

// CheckDiskSpace returns nil while new work may be accepted, or the reason it may
// not: there is no majority without the voters whose disks are nearly full. Only
// the leader knows; elsewhere it returns nil.
func (n *Node) CheckDiskSpace() error {
	if n.space == nil || !n.space.short.Load() {
		return nil
	}
	return fmt.Errorf("free disk space: fewer than a majority of the masters have %d MiB", n.space.reserve>>20)
}

// DiskLow reports whether the disk of this master's raft directory is nearly full.
func (n *Node) DiskLow() bool { return n.space != nil && n.space.low.Load() }
