package ui

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/ffrtmp/ffrtmp"
)

// overviewPage is what the first page shows.
type overviewPage struct {
	Cluster   ffrtmp.ClusterStatus
	Nodes     []ffrtmp.Node
	Running   ffrtmp.List
	Waiting   ffrtmp.List
	Failed    ffrtmp.List
	Attention []string
	Busy      int // attempts that run
	Slots     int
	Up        int // masters
	Online    int // nodes
}

// overviewJobs is how many jobs of a state the overview shows.
const overviewJobs = "8"

func overview(v *visit) error {
	var p overviewPage
	var nodes ffrtmp.NodeList
	if err := v.get("/cluster", nil, &p.Cluster); err != nil {
		return err
	}
	if err := v.get("/nodes", nil, &nodes); err != nil {
		return err
	}
	p.Nodes = nodes.Nodes
	for _, part := range []struct {
		status ffrtmp.Status
		sort   ffrtmp.Sort
		list   *ffrtmp.List
	}{
		{ffrtmp.Running, ffrtmp.SortCreated, &p.Running},
		{ffrtmp.Pending, ffrtmp.SortPriority, &p.Waiting},
		{ffrtmp.Failed, ffrtmp.SortCreated, &p.Failed},
	} {
		q := url.Values{"status": {string(part.status)}, "sort": {string(part.sort)}, "limit": {overviewJobs}}
		if err := v.get("/jobs", q, part.list); err != nil {
			return err
		}
	}
	p.sum()
	v.render(http.StatusOK, "overview", "Overview", p)
	return nil
}

// sum counts what is up, and lists what needs attention.
func (p *overviewPage) sum() {
	p.Attention = slices.Clone(p.Cluster.Warnings)
	for i := range p.Cluster.Members {
		if m := &p.Cluster.Members[i]; m.State == ffrtmp.MemberDead {
			p.Attention = append(p.Attention, fmt.Sprintf("master %s does not answer", m.Name))
		} else {
			p.Up++
		}
	}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		p.Busy += len(n.Running)
		p.Slots += n.MaxConcurrentJobs
		if n.Status == ffrtmp.NodeOffline {
			p.Attention = append(p.Attention, fmt.Sprintf("node %s is offline", n.Name))
		} else {
			p.Online++
		}
	}
	if len(p.Nodes) == 0 {
		p.Attention = append(p.Attention, "no node is registered: nothing can run")
	}
}
