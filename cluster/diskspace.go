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
	// diskSilence is how long a voter that does not answer is taken to have the
	// room that it had.
	diskSilence = 10 * time.Second
	// diskHysteresis is how much more than the reserve must be free before it counts
	// as room again.
	diskHysteresis = 64 << 20
)

// room watches the room on the disks of the voters. A log that cannot grow takes no
// completions either, so new work is to be refused while there is still room for what
// becomes of the old.
type diskSpace struct {
	reserve uint64                 // bytes
	free    func() (uint64, error) // on the disk of the raft directory

	low   atomic.Bool // this master's disk has less than the reserve
	short atomic.Bool // on a leader: without those whose disks are low there is no majority

	seen map[string]time.Time // on a leader: when a voter last had room
}

// freeBytes returns how many bytes there are for this process on the file system of a
// directory.
func freeBytes(dir string) (uint64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0, fmt.Errorf("room on the disk of %s: %w", dir, err)
	}
	return stat.Bavail * uint64(stat.Bsize), nil
}

// look takes note of this master's own disk.
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

// count takes note of what the voters tell a leader. A new leader believes in the room of
// those that do not answer.
func (d *diskSpace) countVoters(now time.Time, voters []string, told map[string]status) {
	seen := make(map[string]time.Time, len(voters))
	for _, id := range voters {
		s, answered := told[id]
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

// watchDisk looks after the room on disks until ctx is done. A leader whose disk is low
// makes way for a voter that has room.
func (n *Node) watchDisk(ctx context.Context) {
	tick := time.NewTicker(diskTick)
	defer tick.Stop()
	for {
		was := n.DiskLow()
		err := n.space.measure()
		switch low := n.DiskLow(); {
		case err != nil:
			n.log.Error("the disk does not tell its room", "error", err)
		case low && !was:
			n.log.Warn("the disk is nearly full", "dir", n.cfg.Dir, "reserve_bytes", n.space.reserve)
		case was && !low:
			n.log.Info("the disk has room again", "dir", n.cfg.Dir)
		}
		if n.IsLeader() {
			n.checkVoterDisks(ctx)
		} else {
			n.space.seen = nil
			n.space.short.Store(false)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// checkVoterDisks asks the voters for their room.
func (n *Node) checkVoterDisks(ctx context.Context) {
	voters := n.voters()
	told := n.statuses(ctx, voters)
	n.space.countVoters(time.Now(), voters, told)
	if !n.DiskLow() {
		return
	}
	for id, s := range told {
		if id == n.id.ID || s.DiskLow {
			continue
		}
		n.log.Warn("leadership goes to a master whose disk has room")
		if err := n.TransferLeadership(ctx); err != nil {
			n.log.Warn("leadership is not handed over", "error", err)
		}
		return
	}
}

// CheckDiskSpace returns nil while new work may be taken, or why it may not: without the voters
// whose disks are nearly full there is no majority. Only the leader knows that; elsewhere
// it returns nil.
func (n *Node) CheckDiskSpace() error {
	if n.space == nil || !n.space.short.Load() {
		return nil
	}
	return fmt.Errorf("fewer than a majority of the masters have %d MiB free on their disks", n.space.reserve>>20)
}

// DiskLow reports whether the disk of this master's raft directory is nearly full.
func (n *Node) DiskLow() bool { return n.space != nil && n.space.low.Load() }
