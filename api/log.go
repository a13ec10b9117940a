package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/leader"
)

// attemptLog is the answer to GET /jobs/{id}/logs.
type attemptLog struct {
	JobID  string `json:"job_id"`
	Logs   string `json:"logs"`
	Offset int64  `json:"offset"` // bytes of the attempt's log before Logs
}

// logRequest is the part of a log that a reader requests.
type logRequest struct {
	attempt int
	follow  bool
	offset  int64
}

// attemptOf reads the number of an attempt from a query. The default is the newest, or the first if none has started.
func attemptOf(q url.Values, j *ffrtmp.Job) (int, error) {
	if !q.Has("attempt") {
		return max(j.Attempt, 1), nil
	}
	attempt, err := strconv.Atoi(q.Get("attempt"))
	if err != nil || attempt < 1 {
		return 0, ffrtmp.FieldErrorf("attempt", "%q is not the number of an attempt", q.Get("attempt"))
	}
	if attempt > j.Attempt {
		return 0, ffrtmp.Errorf(ffrtmp.NotFound, "job %s has no attempt %d", j.ID, attempt)
	}
	return attempt, nil
}

// parseLogRequest reads a query.
func parseLogRequest(c *call, j *ffrtmp.Job) (r logRequest, err error) {
	q := c.URL.Query()
	if r.attempt, err = attemptOf(q, j); err != nil {
		return r, err
	}
	offset, err := queryUint(q, "offset")
	if err != nil {
		return r, err
	}
	r.offset = int64(offset)
	if r.follow, err = queryBool(q, "follow"); err != nil {
		return r, err
	}
	if r.follow && c.consistency.stale {
		return r, ffrtmp.FieldErrorf("follow",
			"cannot be combined with stale: only the leader has the log of a running attempt")
	}
	return r, nil
}

// logs returns the log of an attempt. The log of a running attempt is in the leader's memory.
func (s *Server) logs(c *call) (*answer, error) {
	j, err := s.job(c)
	if err != nil {
		return nil, err
	}
	r, err := parseLogRequest(c, &j)
	if err != nil {
		return nil, err
	}
	text, from, err := s.readLog(c.Context(), &j, r.attempt, r.offset)
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	header.Set(ffrtmp.LogAttemptHeader, strconv.Itoa(r.attempt))
	header.Set(ffrtmp.LogOffsetHeader, strconv.FormatInt(from, 10))
	if r.follow {
		return &answer{header: header, stream: func(ctx context.Context, w *flushWriter) error {
			return s.follow(ctx, w, j, r.attempt, from)
		}}, nil
	}
	return &answer{header: header, body: attemptLog{j.ID, text, from}}, nil
}

// readLog returns the kept part of an attempt's log from offset on, and where it begins.
func (s *Server) readLog(ctx context.Context, j *ffrtmp.Job, attempt int,
	offset int64,
) (text string, from int64, err error) {
	if live := s.cfg.Leader.Log(j.ID, attempt); live != nil {
		text, from, _, err = live.Read(offset)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return text, from, err
	}
	text, start, err := s.cfg.State.AttemptLog(ctx, j.SequenceNumber, attempt)
	from = max(offset, start)
	return text[min(from-start, int64(len(text))):], from, err
}

// errLogGap ends a stream. Its reader resumes, and the answer's header shows how many bytes are
// lost.
var errLogGap = errors.New("log: the reader's position is no longer kept")

// follow writes an attempt's log from offset on until the attempt ends.
func (s *Server) follow(ctx context.Context, w *flushWriter, j ffrtmp.Job, attempt int, offset int64) error {
	live, err := s.awaitLog(ctx, &j, attempt)
	if err != nil {
		return err
	}
	if live != nil {
		return followLive(ctx, w, live, offset)
	}
	text, from, err := s.readLog(ctx, &j, attempt, offset)
	if err != nil {
		return err
	}
	if from != offset {
		return errLogGap
	}
	_, err = io.WriteString(w, text)
	return err
}

// followLive writes the log of a running attempt from offset on.
func followLive(ctx context.Context, w io.Writer, live *leader.Log, offset int64) error {
	for {
		text, from, more, end := live.Read(offset)
		if from > offset {
			return errLogGap
		}
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

// firstAttemptInterval is how often the follower of a waiting job checks whether it has
// been claimed.
const firstAttemptInterval = 200 * time.Millisecond

// awaitLog waits until the attempt runs and returns its live log, or nil if it has ended. It
// updates j.
func (s *Server) awaitLog(ctx context.Context, j *ffrtmp.Job, attempt int) (*leader.Log, error) {
	for {
		if live := s.cfg.Leader.Log(j.ID, attempt); live != nil || !awaitsEnd(j, attempt) {
			return live, nil
		}
		if !s.cfg.Leader.Leading() {
			return nil, ffrtmp.Errorf(ffrtmp.NoLeader, "this master no longer leads")
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(firstAttemptInterval):
		}
		var err error
		if *j, err = s.cfg.State.Job(ctx, j.ID); err != nil {
			return nil, err
		}
	}
}

// awaitsEnd reports whether an attempt is running or yet to start. A claim is in the state
// a moment before the leader has its log.
func awaitsEnd(j *ffrtmp.Job, attempt int) bool {
	if j.Attempt < attempt {
		return !j.Status.Terminal()
	}
	return slices.ContainsFunc(j.Attempts, func(a ffrtmp.Attempt) bool {
		return a.Attempt == attempt && a.Outcome == ffrtmp.AttemptRunning
	})
}
