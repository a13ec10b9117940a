package api

import (
	"fmt"
	"slices"
	"time"

	"github.com/ffrtmp/ffrtmp"
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
			e.Nodes = append(e.Nodes,
				ffrtmp.NodeExplanation{NodeID: n.ID, Name: n.Name, Reason: exclusion(&j, &n, waiting.Avoided)})
		}
	}
	e.Summary = summary(&j, &e)
	return &answer{body: e}, nil
}

// exclusion is why the node cannot get the job now, or "".
func exclusion(j *ffrtmp.Job, n *ffrtmp.Node, avoided []string) string {
	switch reason := j.Requires.Unmet(n); {
	case reason != "":
		return reason
	case n.Status == ffrtmp.NodeOffline:
		return "offline"
	case n.Eligibility != ffrtmp.Eligible:
		return string(n.Eligibility)
	case slices.Contains(avoided, n.ID):
		return "an earlier attempt failed there"
	case n.Free(len(n.Running)) == 0:
		return "all slots are taken"
	}
	return ""
}

func summary(j *ffrtmp.Job, e *ffrtmp.Explanation) string {
	switch j.Status {
	case ffrtmp.Pending:
		return whyPending(j, e)
	case ffrtmp.Running:
		return fmt.Sprintf("attempt %d runs on %s", j.Attempt, j.NodeName)
	case ffrtmp.Failed:
		return fmt.Sprintf("failed after %d attempts: %s", j.Attempt, j.Error)
	case ffrtmp.Completed:
		return fmt.Sprintf("completed by attempt %d on %s", j.Attempt, j.NodeName)
	}
	return string(j.Status)
}

func whyPending(j *ffrtmp.Job, e *ffrtmp.Explanation) string {
	if wait := time.Until(j.NotBefore); wait > 0 {
		return fmt.Sprintf("waiting %s before retry %d of %d", wait.Round(time.Second), j.RetryCount, j.MaxRetries)
	}
	free := 0
	for _, n := range e.Nodes {
		if n.Reason == "" {
			free++
		}
	}
	switch {
	case len(e.Nodes) == 0:
		return "no node is registered"
	case free == 0:
		return "no node can run it now"
	}
	return fmt.Sprintf("waiting for a node to claim it: %d can run it, %d jobs are ahead", free, e.Ahead)
}
