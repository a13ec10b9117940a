package api

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// explain returns why a job waits, or which nodes ran it.
func (s *Server) explain(c *call) (*answer, error) {
	j, err := s.job(c)
	if err != nil {
		return nil, err
	}
	e := ffrtmp.Explanation{JobID: j.ID, Status: j.Status, Attempts: j.Attempts}
	if e.Attempts == nil {
		e.Attempts = []ffrtmp.Attempt{}
	}
	if j.Status == ffrtmp.Pending {
		waiting := s.cfg.State.Waiting(j.SequenceNumber)
		e.Ahead = waiting.Ahead
		for _, n := range s.cfg.State.Nodes() {
			e.Nodes = append(e.Nodes, ffrtmp.NodeExplanation{
				NodeID: n.ID, Name: n.Name,
				Match:  j.Requires.Unmet(&n) == "" && !slices.Contains(waiting.Outside, n.ID),
				Reason: exclusion(&j, &n, &waiting),
			})
		}
	}
	e.Summary = summary(&j, &e)
	return &answer{body: e}, nil
}

// exclusion is why the node cannot get the job now, or "".
func exclusion(j *ffrtmp.Job, n *ffrtmp.Node, waiting *fsm.Waiting) string {
	switch reason := j.Requires.Unmet(n); {
	case reason != "":
		return reason
	case slices.Contains(waiting.Outside, n.ID):
		return "its media roots do not contain the job's files"
	case n.Status == ffrtmp.NodeOffline:
		return "offline"
	case n.Eligibility != ffrtmp.Eligible:
		return string(n.Eligibility)
	case slices.Contains(waiting.Avoided, n.ID):
		return "an earlier attempt failed there"
	case n.Free(len(n.Running)) == 0:
		return slotsTaken
	}
	return ""
}

func summary(j *ffrtmp.Job, e *ffrtmp.Explanation) string {
	switch j.Status {
	case ffrtmp.Pending:
		return whyPending(j, e)
	case ffrtmp.Running:
		return fmt.Sprintf("attempt %d runs on %s", j.Attempt, cmp.Or(j.NodeName, j.NodeID))
	case ffrtmp.Failed:
		return fmt.Sprintf("failed after %d attempts: %s", j.Attempt, j.Error)
	case ffrtmp.Completed:
		return fmt.Sprintf("completed by attempt %d on %s", j.Attempt, cmp.Or(j.NodeName, j.NodeID))
	}
	return string(j.Status)
}

func whyPending(j *ffrtmp.Job, e *ffrtmp.Explanation) string {
	if wait := time.Until(j.NotBefore); wait > 0 {
		return fmt.Sprintf("waiting %s before retry %d of %d", wait.Round(time.Second), j.RetryCount, j.MaxRetries)
	}
	free, full, away := byReason(e, ""), byReason(e, slotsTaken), 0
	for i := range e.Nodes {
		if e.Nodes[i].Match && e.Nodes[i].Reason != "" && e.Nodes[i].Reason != slotsTaken {
			away++
		}
	}
	ahead := fmt.Sprintf("%d jobs are ahead", e.Ahead)
	switch {
	case len(e.Nodes) == 0:
		return "no node is registered"
	case len(free) > 0:
		return fmt.Sprintf("waiting for a node to claim it: %s can run it, %s", join(free), ahead)
	case len(full) > 0:
		return fmt.Sprintf("all slots are taken on %s, which can run it; %s", join(full), ahead)
	case away > 0:
		return "no node that can run it is online and eligible"
	}
	return "no registered node matches it: " + unmet(e)
}

// slotsTaken is the reason of a node that runs as many jobs as it may.
const slotsTaken = "all slots are taken"

// byReason returns the names of the nodes with a reason.
func byReason(e *ffrtmp.Explanation, reason string) []string {
	var names []string
	for _, n := range e.Nodes {
		if n.Reason == reason {
			names = append(names, cmp.Or(n.Name, n.NodeID))
		}
	}
	return names
}

// namedNodes is how many nodes a sentence names.
const namedNodes = 3

// join lists the first names.
func join(names []string) string {
	if len(names) > namedNodes {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:namedNodes], ", "), len(names)-namedNodes)
	}
	return strings.Join(names, ", ")
}

// unmet lists why the nodes do not match, each reason once.
func unmet(e *ffrtmp.Explanation) string {
	var reasons []string
	for _, n := range e.Nodes {
		if !slices.Contains(reasons, n.Reason) {
			reasons = append(reasons, n.Reason)
		}
	}
	return join(reasons)
}

// noMatch is unmet for requirements that no node meets.
func noMatch(nodes []ffrtmp.Node, requires *ffrtmp.Requires) string {
	var e ffrtmp.Explanation
	for i := range nodes {
		e.Nodes = append(e.Nodes, ffrtmp.NodeExplanation{Reason: requires.Unmet(&nodes[i])})
	}
	return cmp.Or(unmet(&e), "none is registered")
}
