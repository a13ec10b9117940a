package ui

import (
	"net/http"
	"net/url"

	"github.com/ffrtmp/ffrtmp"
)

func nodes(v *visit) error {
	var list ffrtmp.NodeList
	if err := v.get("/nodes", nil, &list); err != nil {
		return err
	}
	p := nodesPage{NodeList: list, Jobs: map[string]ffrtmp.Job{}}
	var running ffrtmp.List
	if err := v.get("/jobs", url.Values{"status": {"running,paused"}, "limit": {runningJobs}}, &running); err != nil {
		return err
	}
	for i := range running.Jobs {
		p.Jobs[running.Jobs[i].ID] = running.Jobs[i]
	}
	v.render(http.StatusOK, "nodes", "Nodes", p)
	return nil
}

// runningJobs is how many running jobs the list of nodes knows by number.
const runningJobs = "1000"

// nodesPage is what the list of nodes shows.
type nodesPage struct {
	ffrtmp.NodeList
	Jobs map[string]ffrtmp.Job // that run, by id
}

// shownJobs is how many jobs of a node the list of nodes shows.
const shownJobs = 3

// Runs lists some of the jobs that a node runs.
func (p nodesPage) Runs(n ffrtmp.Node) (list []ffrtmp.Job) {
	for _, ref := range n.Running[:min(len(n.Running), shownJobs)] {
		j, ok := p.Jobs[ref.JobID]
		if !ok {
			j.ID = ref.JobID
		}
		list = append(list, j)
	}
	return list
}

// More is how many jobs of a node the list of nodes does not show.
func (p nodesPage) More(n ffrtmp.Node) int { return max(0, len(n.Running)-shownJobs) }

// Why is why a node gets no new jobs, in words.
func (p nodesPage) Why(n ffrtmp.Node) string { return whyIdle(&n) }

// nodePage is what the page of a node shows.
type nodePage struct {
	Node   ffrtmp.Node
	Active ffrtmp.List // jobs that it runs
	Recent ffrtmp.List // jobs that it ran last
	Why    string      // it gets nothing, or ""
	Load   chart       // of the last hours
	Speeds []encoderSpeed
}

func node(v *visit) error {
	var p nodePage
	if err := v.get("/nodes/"+url.PathEscape(v.PathValue("id")), nil, &p.Node); err != nil {
		return err
	}
	lists := map[string]*ffrtmp.List{"running,paused": &p.Active, "completed,failed,canceled": &p.Recent}
	for status, list := range lists {
		q := url.Values{"node_id": {p.Node.ID}, "status": {status}, "limit": {"10"}}
		if err := v.get("/jobs", q, list); err != nil {
			return err
		}
	}
	var err error
	if p.Load, err = v.load(&p.Node); err != nil {
		return err
	}
	if p.Speeds, err = v.speeds(&p.Node, p.Recent.Jobs); err != nil {
		return err
	}
	p.Why = whyIdle(&p.Node)
	v.render(http.StatusOK, "node", p.Node.Name, p)
	return nil
}

// whyIdle is why a node gets no new jobs, in words.
func whyIdle(n *ffrtmp.Node) string {
	switch {
	case n.Status == ffrtmp.NodeOffline:
		return "It gets no jobs: it has stopped sending heartbeats."
	case n.Eligibility == ffrtmp.Draining && len(n.Running) == 0:
		return "It is drained: it runs nothing and gets no jobs."
	case n.Eligibility == ffrtmp.Draining:
		text := "It finishes " + plural(len(n.Running), "job") + " and gets no new ones."
		if !n.EligibilityUntil.IsZero() {
			text += " What still runs " + ago(n.EligibilityUntil) + " is given to other nodes."
		}
		return text
	case n.Eligibility == ffrtmp.Cordoned:
		return "It gets no new jobs: it is cordoned" + cordonWords(n) + "."
	case n.Free(len(n.Running)) == 0:
		return "It gets no more jobs now: all its slots are taken."
	}
	return ""
}

// cordonWords is why a node is cordoned and until when, if nobody has cordoned it by hand.
func cordonWords(n *ffrtmp.Node) (text string) {
	if n.EligibilityReason != "" {
		text = ", because " + n.EligibilityReason
	}
	if !n.EligibilityUntil.IsZero() {
		text += "; it gets jobs again " + ago(n.EligibilityUntil)
	}
	return text
}

// nodeVerbs are the forms of a node, and what is said afterwards.
var nodeVerbs = map[string]string{
	"drain": "The node finishes its jobs and gets no new ones.", "cordon": "The node gets no new jobs.",
	"uncordon": "The node gets jobs again.", "remove": "The node is removed.",
}

func actOnNode(v *visit) error {
	path, verb := "/nodes/"+url.PathEscape(v.PathValue("id")), v.PathValue("verb")
	text, ok := nodeVerbs[verb]
	if !ok {
		return ffrtmp.Errorf(ffrtmp.NotFound, "this page does not exist")
	}
	method := http.MethodPost
	if verb == "remove" {
		method = http.MethodDelete
	} else {
		path += "/" + verb
	}
	if err := v.send(method, path, nil, struct{}{}, nil); err != nil {
		return err
	}
	v.back(notice{Text: text})
	return nil
}
