package api

import (
	"encoding/json"
	"errors"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/jsonbody"
)

// importing is the body of POST /import. Its jobs and nodes are decoded one by one, so that
// only invalid ones are rejected.
type importing struct {
	Nodes []json.RawMessage `json:"nodes"`
	Jobs  []json.RawMessage `json:"jobs"`
}

func (b *importing) Validate() error {
	switch n := len(b.Nodes) + len(b.Jobs); {
	case n == 0:
		return ffrtmp.FieldErrorf("jobs", "is empty, and so is nodes; at least one item is required")
	case n > ffrtmp.MaxImport:
		return ffrtmp.FieldErrorf("jobs", "has %d items together with nodes, more than %d", n, ffrtmp.MaxImport)
	}
	return nil
}

// importBatch imports jobs and nodes of another system. With ?dry_run it only reports what
// it would import.
func (s *Server) importBatch(c *call, b *importing) (*answer, error) {
	dryRun, err := queryBool(c.URL.Query(), "dry_run")
	if err != nil {
		return nil, err
	}
	result := ffrtmp.ImportAnswer{DryRun: dryRun}
	var batch ffrtmp.Import
	nodes, jobs := make([]int, 0, len(b.Nodes)), make([]int, 0, len(b.Jobs)) // positions of the valid ones
	result.Nodes, batch.Nodes = decodeEach(b.Nodes, &nodes,
		func(n *ffrtmp.ImportedNode) (string, error) { return n.ID, n.Validate() })
	result.Jobs, batch.Jobs = decodeEach(b.Jobs, &jobs,
		func(j *ffrtmp.ImportedJob) (string, error) { return j.ID, j.Validate() })
	if dryRun {
		return s.wouldImport(c, batch, result, nodes, jobs)
	}
	if len(nodes)+len(jobs) == 0 {
		return &answer{body: result}, nil
	}
	if err := s.checkDiskSpace(c); err != nil {
		return nil, err
	}
	index, taken, err := s.cfg.Proposer.Import(c.Context(), c.idempotency, batch)
	if err != nil {
		return nil, err
	}
	for i, n := range taken.Nodes {
		result.Nodes[nodes[i]] = ffrtmp.ImportResult{ID: n.ID, Outcome: outcomeOf(n.New)}
	}
	for i, j := range taken.Jobs {
		at := &result.Jobs[jobs[i]]
		at.Outcome, at.SequenceNumber = outcomeOf(j.New), j.Seq
	}
	return &answer{index: index, body: result}, nil
}

func outcomeOf(taken bool) ffrtmp.ImportOutcome {
	if taken {
		return ffrtmp.ImportTaken
	}
	return ffrtmp.ImportExists
}

// decodeEach decodes and validates a list. It returns a result for each item, and the valid
// items, whose positions it adds to valid.
func decodeEach[T any](list []json.RawMessage, valid *[]int,
	validate func(*T) (id string, err error),
) ([]ffrtmp.ImportResult, []T) {
	results, good := make([]ffrtmp.ImportResult, len(list)), make([]T, 0, len(list))
	for i, raw := range list {
		var v T
		err := jsonbody.Decode(raw, &v)
		id, invalid := validate(&v)
		if err = errors.Join(err, invalid); err != nil {
			p := describe(err)
			results[i] = ffrtmp.ImportResult{ID: id, Outcome: ffrtmp.ImportRefused, Error: p.Error, Field: p.Field}
			continue
		}
		results[i].ID = id
		*valid = append(*valid, i)
		good = append(good, v)
	}
	return results, good
}

// wouldImport is the answer to a dry run.
func (s *Server) wouldImport(c *call, batch ffrtmp.Import, result ffrtmp.ImportAnswer,
	nodes, jobs []int,
) (*answer, error) {
	ids := make([]string, len(batch.Jobs))
	for i := range batch.Jobs {
		ids[i] = batch.Jobs[i].ID
	}
	known, err := s.cfg.State.KnownJobs(c.Context(), ids)
	if err != nil {
		return nil, err
	}
	for i := range batch.Jobs {
		seq, there := known[batch.Jobs[i].ID]
		at := &result.Jobs[jobs[i]]
		at.Outcome, at.SequenceNumber = outcomeOf(!there), seq
	}
	for i := range batch.Nodes {
		n := &batch.Nodes[i]
		at := &result.Nodes[nodes[i]]
		id := s.cfg.State.KnownNode(n.ID, n.Address)
		at.Outcome = outcomeOf(id == "")
		if id != "" {
			at.ID = id
		}
	}
	return &answer{body: result}, nil
}
