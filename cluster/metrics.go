package cluster

import (
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collector reads Raft's state when it is scraped.
type collector struct{ node *Node }

func describe(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("ffmpeg_master_raft_"+name, help, nil, nil)
}

var (
	descLeads       = describe("is_leader", "1 on the leader, else 0.")
	descTerm        = describe("term", "Raft term.")
	descCommit      = describe("commit_index", "Index of the last entry known to be committed.")
	descApplied     = describe("applied_index", "Index of the last entry applied to the state.")
	descLastContact = describe("last_contact_seconds", "Time since the leader's last message; 0 on the leader.")
	descPeers       = describe("peers", "Masters in the Raft configuration, including this one.")
	descMembers     = prometheus.NewDesc("ffmpeg_master_raft_members",
		"Masters in the Raft configuration by state: leader, follower, nonvoter or dead.", []string{"state"}, nil)
	descTimeout       = describe("heartbeat_timeout_seconds", "Time without a heartbeat after which a follower stands.")
	descVoters        = describe("voters", "Masters in the Raft configuration that have a vote.")
	descLeaderChanges = describe("leader_changes_total", "Leaders seen since the start.")
	descSnapshotAge   = prometheus.NewDesc("ffmpeg_master_snapshot_age_seconds",
		"Age of the newest snapshot; without one, time since this master started.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	prometheus.DescribeByCollect(c, out)
	out <- descTwin // there is none yet to describe it by
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	n := c.node
	gauge := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	leads := 0.0
	if n.IsLeader() {
		leads = 1
	}
	contact, _ := n.LastContact()
	n.twins.collect(out)
	gauge(descLeads, leads)
	gauge(descTerm, float64(n.Term()))
	gauge(descCommit, float64(n.CommitIndex()))
	gauge(descApplied, float64(n.AppliedIndex()))
	gauge(descLastContact, contact.Seconds())
	gauge(descTimeout, n.detection.heartbeatTimeout().Seconds())
	gauge(descVoters, float64(len(n.voters())))
	gauge(descPeers, float64(len(n.servers())))
	for state, count := range n.countMembers() {
		out <- prometheus.MustNewConstMetric(descMembers, prometheus.GaugeValue, float64(count), state)
	}
	gauge(descSnapshotAge, time.Since(n.snapshotTime()).Seconds())
	out <- prometheus.MustNewConstMetric(descLeaderChanges, prometheus.CounterValue, float64(n.leaderChanges()))
}

// snapshotTime returns when the newest snapshot was made. Raft's file store puts
// it into the snapshot's id, in milliseconds: TERM-INDEX-TIME.
func (n *Node) snapshotTime() time.Time {
	list, err := n.snaps.List()
	if err != nil || len(list) == 0 {
		return n.started
	}
	id := list[0].ID
	made, err := strconv.ParseInt(id[strings.LastIndexByte(id, '-')+1:], 10, 64)
	if err != nil {
		return n.started // a snapshot in memory
	}
	return time.UnixMilli(made)
}

func newApplySeconds() prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "ffmpeg_master_raft_apply_seconds",
		Help:    "Time to commit and apply one entry, as its proposer sees it.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
	})
}
