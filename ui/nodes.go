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
	v.render(http.StatusOK, "nodes", "Nodes", list)
	return nil
}

// nodePage is what the page of a node shows.
type nodePage struct {
	Node   ffrtmp.Node
	Active ffrtmp.List // jobs that it runs
	Recent ffrtmp.List // jobs that it ran last
	Why    string      // it gets nothing, or ""
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
		return "It finishes " + plural(len(n.Running), "job") + " and gets no new ones."
	case n.Eligibility == ffrtmp.Cordoned:
		return "It gets no new jobs: it is cordoned."
	case n.Free(len(n.Running)) == 0:
		return "It gets no more jobs now: all its slots are taken."
	}
	return ""
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
