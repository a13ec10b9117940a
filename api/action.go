package api

import (
	"encoding/json"
	"net/url"
	"slices"

	"github.com/ffrtmp/ffrtmp"
)

// acted is the answer to an action on a job.
type acted struct {
	Status ffrtmp.Status `json:"status"`
	JobID  string        `json:"job_id"`

	RetryCount *int   `json:"retry_count,omitempty"` // of a retried job, as in v2.2: it begins anew
	Note       string `json:"note,omitempty"`        // what else the caller should know
}

// act returns the endpoint of an action on a job.
func (s *Server) act(action ffrtmp.Action) func(*call, *nothing) (*answer, error) {
	return func(c *call, _ *nothing) (*answer, error) {
		j, err := s.job(c)
		if err != nil {
			return nil, err
		}
		s.cfg.Leader.Overlay(&j)
		if p := j.ProgressDetail; action == ffrtmp.Pause && j.Status == ffrtmp.Running && p != nil &&
			p.Phase == ffrtmp.VerifyingPhase {
			return nil, ffrtmp.Errorf(ffrtmp.Conflict, "cannot pause job %s: it is verifying its output", j.ID)
		}
		index, done, err := s.cfg.Proposer.Act(c.Context(), c.idempotency, action, j.SequenceNumber)
		if err != nil {
			return nil, err
		}
		s.cfg.Leader.NodeChanged(j.NodeID)
		body := acted{Status: done.Status, JobID: j.ID}
		switch action {
		case ffrtmp.Retry:
			body.RetryCount = new(int)
		case ffrtmp.Cancel:
			body.Note = s.cancelNote(&j)
		}
		return &answer{index: index, body: body}, nil
	}
}

// cancelNote says when the cancel of a job takes effect, if that is not at once. The job is as it was before.
func (s *Server) cancelNote(j *ffrtmp.Job) string {
	if j.Status != ffrtmp.Running {
		return ""
	}
	n, err := s.cfg.State.Node(j.NodeID)
	if err != nil || !n.Legacy {
		return ""
	}
	return "ffmpeg runs on until the v2.2 agent of node " + n.Name + " asks for the job's status, about every 5 s"
}

// selection is the body of a bulk action. Its filter must not be empty: a mistyped field
// must not select every job.
type selection struct {
	Filter map[string]json.RawMessage `json:"filter"`
}

func (sel *selection) filter() (f ffrtmp.Filter, err error) {
	if len(sel.Filter) == 0 {
		return f, ffrtmp.FieldErrorf("filter",
			"must name at least one of status, queue, priority, scenario, node_id, label, created_after, "+
				"created_before and q")
	}
	values := url.Values{}
	for name, raw := range sel.Filter {
		if filterFields(&f)[name] == nil && filterTimes(&f)[name] == nil {
			return f, ffrtmp.FieldErrorf("filter."+name, "unknown field")
		}
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return f, ffrtmp.FieldErrorf("filter."+name, "must be a string")
		}
		values.Set(name, text)
	}
	if f, err = parseFilter(values); err != nil {
		return f, inField("filter", err)
	}
	if f.IsZero() {
		return f, ffrtmp.FieldErrorf("filter", "selects every job; name at least one value")
	}
	return f, nil
}

// change returns the endpoint of a bulk action.
func (s *Server) change(action ffrtmp.Action) func(*call, *selection) (*answer, error) {
	return func(c *call, sel *selection) (*answer, error) {
		return s.changeMany(c, sel, ffrtmp.Change{Action: action})
	}
}

// prioritized is the body of POST /jobs/priority.
type prioritized struct {
	selection
	Priority ffrtmp.Priority `json:"priority"`
}

func (p *prioritized) Validate() error {
	if _, err := p.filter(); err != nil {
		return err
	}
	if !p.Priority.Valid() {
		return ffrtmp.FieldErrorf("priority", "unknown value %q; use high, medium or low", p.Priority)
	}
	return nil
}

// prioritize changes the priority of every pending job that a filter selects.
func (s *Server) prioritize(c *call, p *prioritized) (*answer, error) {
	return s.changeMany(c, &p.selection, ffrtmp.Change{Priority: p.Priority})
}

// changeMany changes every job that a filter selects and whose state allows it. With ?dry_run it only
// counts them.
func (s *Server) changeMany(c *call, sel *selection, change ffrtmp.Change) (*answer, error) {
	filter, err := sel.filter()
	if err != nil {
		return nil, err
	}
	dryRun, err := queryBool(c.URL.Query(), "dry_run")
	if err != nil {
		return nil, err
	}
	seqs, err := s.cfg.State.Changeable(c.Context(), filter, change)
	if err != nil {
		return nil, err
	}
	if change.Action == ffrtmp.Pause { // no ffmpeg runs that could be paused
		verifying := s.cfg.Leader.Verifying()
		seqs = slices.DeleteFunc(seqs, func(seq uint64) bool { return verifying[seq] })
	}
	if dryRun {
		return &answer{body: ffrtmp.Changed{Count: len(seqs)}}, nil
	}
	index, done, err := s.cfg.Proposer.ChangeMany(c.Context(), c.idempotency, change, filter, seqs)
	if err != nil {
		return nil, err
	}
	s.cfg.Leader.Changed()
	return &answer{index: index, body: ffrtmp.Changed{Count: done.Count}}, nil
}
