package ui

import (
	"fmt"
	"strings"

	"github.com/ffrtmp/ffrtmp"
)

// runbook says what to do. It is linked, never loaded.
const runbook = "https://github.com/ffrtmp/ffrtmp/blob/main/docs/operations.md"

// need is something that needs attention.
type need struct {
	Text    string
	Path    string // of the page that shows more
	Section string // of the runbook
}

// Runbook is the address of what to do about it.
func (n need) Runbook() string { return runbook + "#" + n.Section }

// attention lists what needs it, the most urgent first.
func (p *overviewPage) attention() []need {
	list := p.masterNeeds()
	list = append(list, p.nodeNeeds()...)
	return append(list, p.jobNeeds()...)
}

func (p *overviewPage) masterNeeds() (list []need) {
	if p.Cluster.Leader == "" {
		text := "no leader: nothing can be changed until a majority of masters is up"
		list = append(list, need{text, "/ui/cluster", "recovery"})
	}
	var dead []string
	for i := range p.Cluster.Members {
		if m := &p.Cluster.Members[i]; m.State == ffrtmp.MemberDead {
			dead = append(dead, m.Name)
		}
	}
	if len(dead) > 0 {
		list = append(list, need{some("master", dead) + " not answering", "/ui/cluster", "a-dead-master"})
	}
	for _, warning := range p.Cluster.Warnings {
		list = append(list, need{warning, "/ui/cluster", "members"})
	}
	return list
}

func (p *overviewPage) nodeNeeds() (list []need) {
	if len(p.Nodes) == 0 {
		return []need{{"no node is registered: nothing can run", "/ui/nodes", "agents"}}
	}
	var offline, broken []string
	for i := range p.Nodes {
		switch n := &p.Nodes[i]; {
		case n.Status == ffrtmp.NodeOffline:
			offline = append(offline, n.Name)
		case n.EligibilityReason != "":
			broken = append(broken, n.Name)
		}
	}
	if len(offline) > 0 {
		list = append(list, need{some("node", offline) + " offline", "/ui/nodes", "nodes"})
	}
	if len(broken) > 0 {
		text := some("node", broken) + " cordoned after failures in a row"
		list = append(list, need{text, "/ui/nodes", "nodes"})
	}
	return list
}

// Shares of failed jobs that need attention.
const (
	failuresEnough = 5 // fewer are no trend
	failuresShare  = 0.2
)

func (p *overviewPage) jobNeeds() (list []need) {
	failed, ended := p.Stats.Totals.Failed, p.Stats.Totals.Failed+p.Stats.Totals.Completed
	if failed >= failuresEnough && float64(failed) >= failuresShare*float64(ended) {
		text := fmt.Sprintf("%s of %d failed in the last %s", plural(failed, "job"), ended, p.Window)
		if len(p.Reasons) > 0 {
			text += ", mostly " + words(p.Reasons[0].Reason)
		}
		list = append(list, need{text, "/ui/jobs?status=failed", "troubleshooting"})
	}
	if p.Waiting > 0 && p.Running == 0 && p.Online > 0 {
		path := "/ui/jobs?status=pending&sort=priority"
		list = append(list, need{plural(p.Waiting, "job") + " waiting, and none runs", path, "troubleshooting"})
	}
	return list
}

// someNames is how many names a sentence has.
const someNames = 3

// some names things as the subject of a sentence: "2 nodes (a, b) are".
func some(noun string, names []string) string {
	if len(names) == 1 {
		return noun + " " + names[0] + " is"
	}
	text := strings.Join(names[:min(len(names), someNames)], ", ")
	if rest := len(names) - someNames; rest > 0 {
		text += fmt.Sprintf(" and %d more", rest)
	}
	return fmt.Sprintf("%d %ss (%s) are", len(names), noun, text)
}
