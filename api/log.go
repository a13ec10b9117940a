package api

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// attemptLog is the answer to GET /jobs/{id}/logs.
type attemptLog struct {
	JobID string `json:"job_id"`
	Logs  string `json:"logs"`
}

// logs returns the log of an attempt, by default the newest. The log of one that
// goes on comes from the leader's memory.
func (s *Server) logs(c *call) (*answer, error) {
	j, err := s.job(c)
	if err != nil {
		return nil, err
	}
	q := c.URL.Query()
	number := j.Attempt
	if q.Has("attempt") {
		if number, err = strconv.Atoi(q.Get("attempt")); err != nil || number < 1 {
			return nil, ffrtmp.FieldErrorf("attempt", "%q is not the number of an attempt", q.Get("attempt"))
		}
		if number > j.Attempt {
			return nil, ffrtmp.Errorf(ffrtmp.NotFound, "job %s has no attempt %d", j.ID, number)
		}
	}
	follow, err := queryBool(q, "follow")
	if err != nil {
		return nil, err
	}
	offset, err := queryUint(q, "offset")
	if err != nil {
		return nil, err
	}
	if follow {
		if c.consistency.stale {
			return nil, ffrtmp.FieldErrorf("follow", "does not go together with stale: only the leader has the log of what runs")
		}
		return &answer{stream: func(ctx context.Context, w *flushWriter) error {
			return s.follow(ctx, w, j, number, int64(offset))
		}}, nil
	}
	text, err := s.log(c.Context(), &j, number)
	if err != nil {
		return nil, err
	}
	return &answer{body: attemptLog{j.ID, text}}, nil
}

// log is what is known of an attempt's log.
func (s *Server) log(ctx context.Context, j *ffrtmp.Job, attempt int) (string, error) {
	if live := s.cfg.Leader.Log(j.ID, attempt); live != nil {
		text, _, _, err := live.Read(0)
		if err == nil || errors.Is(err, io.EOF) {
			return text, nil
		}
		return "", err
	}
	text, _, err := s.cfg.State.AttemptLog(ctx, j.SequenceNumber, attempt)
	return text, err
}

// firstAttemptInterval is how often a follower of a job that waits looks whether
// it has been claimed.
const firstAttemptInterval = 200 * time.Millisecond

// follow writes an attempt's log until the attempt is over. Without an attempt yet
// it waits for the first.
func (s *Server) follow(ctx context.Context, w *flushWriter, j ffrtmp.Job, attempt int, offset int64) error {
	live := s.cfg.Leader.Log(j.ID, attempt)
	for live == nil && goesOn(&j, attempt) {
		if !s.cfg.Leader.Leading() {
			return ffrtmp.Errorf(ffrtmp.NoLeader, "this master no longer leads")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(firstAttemptInterval):
		}
		var err error
		if j, err = s.cfg.State.Job(ctx, j.ID); err != nil {
			return err
		}
		if attempt == 0 {
			attempt = j.Attempt
		}
		live = s.cfg.Leader.Log(j.ID, attempt)
	}
	if live == nil {
		text, err := s.log(ctx, &j, attempt)
		if err != nil {
			return err
		}
		_, err = io.WriteString(w, text[min(offset, int64(len(text))):])
		return err
	}
	for {
		text, from, more, end := live.Read(offset)
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
		offset = from + int64(len(text))
		switch {
		case errors.Is(end, io.EOF):
			return nil
		case end != nil:
			return end
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// goesOn reports whether an attempt, or the first when there is none yet, has its
// end before it. A claim is in the state a moment before the leader has its log.
func goesOn(j *ffrtmp.Job, attempt int) bool {
	if attempt == 0 {
		return !j.Status.Terminal()
	}
	return slices.ContainsFunc(j.Attempts, func(a ffrtmp.Attempt) bool { return a.Attempt == attempt && a.Outcome == ffrtmp.AttemptRunning })
}
