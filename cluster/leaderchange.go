package cluster

import "time"

// LeaderChange is the moment at which this master learned of a new leader, or lost it.
type LeaderChange struct {
	Time   time.Time
	Leader string // id; "" when there was none
	Name   string
}

// maxLeaderChanges is how many are kept, the latest.
const maxLeaderChanges = 50

// LeaderChanges returns the latest changes that this master has seen since it started, the newest first.
func (n *Node) LeaderChanges() []LeaderChange {
	list := n.lead.history()
	for i := range list {
		if list[i].Leader != "" {
			list[i].Name = n.nameOf(list[i].Leader)
		}
	}
	return list
}

// record keeps a change; the caller holds l.mu.
func (l *leadership) record(now time.Time) {
	l.past = append(l.past, LeaderChange{Time: now, Leader: l.leader})
	if len(l.past) > maxLeaderChanges {
		l.past = l.past[len(l.past)-maxLeaderChanges:]
	}
}

// history returns the changes, the newest first.
func (l *leadership) history() []LeaderChange {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]LeaderChange, len(l.past))
	for i, c := range l.past {
		list[len(list)-1-i] = c
	}
	return list
}
