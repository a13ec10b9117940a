package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// Bounds of ?index=N&wait=.
const (
	defaultIndexWait = 5 * time.Second
	maxWait          = 60 * time.Second
)

// consistency is what a reader requires of the state. The zero value is the leader's state.
type consistency struct {
	consistent bool          // linearizable
	stale      bool          // this master's own state suffices
	maxStale   time.Duration // with stale: 0 is no bound
	index      uint64        // the state must have reached it
	wait       time.Duration // how long to wait until it has
}

// indexField marks the error of a read whose index was not reached in time. The master works, so
// retrying elsewhere does not help.
const indexField = "index"

func isIndexTimeout(err error) bool {
	var e *ffrtmp.Error
	return errors.As(err, &e) && e.Code == ffrtmp.NoLeader && e.Field == indexField
}

func parseConsistency(q url.Values) (c consistency, err error) {
	if c.consistent, err = queryBool(q, "consistent"); err != nil {
		return c, err
	}
	if c.stale, err = queryBool(q, "stale"); err != nil {
		return c, err
	}
	if c.consistent && c.stale {
		return c, ffrtmp.FieldErrorf("consistent", "cannot be combined with stale")
	}
	if q.Has("max_stale") {
		if c.maxStale, err = queryDuration(q, "max_stale", 0); err != nil {
			return c, err
		}
		if !c.stale || c.maxStale == 0 {
			return c, ffrtmp.FieldErrorf("max_stale", "must be more than 0, and needs stale")
		}
	}
	if c.index, err = queryUint(q, indexField); err != nil {
		return c, err
	}
	c.wait = defaultIndexWait
	if q.Has("wait") {
		if !q.Has(indexField) {
			return c, ffrtmp.FieldErrorf("wait", "needs index")
		}
		if c.wait, err = queryDuration(q, "wait", maxWait); err != nil {
			return c, err
		}
	}
	return c, nil
}

// local reports whether this master may answer although it does not lead: with stale, unless
// its last contact with the leader is longer ago than max_stale, or its state is out of service.
func (s *Server) local(c consistency) bool {
	if !c.stale || s.cfg.State.Out() != nil {
		return false
	}
	if c.maxStale == 0 || s.cfg.Cluster.IsLeader() {
		return true
	}
	age, ok := s.cfg.Cluster.LastContact()
	return ok && age <= c.maxStale
}

// prepareRead waits until the state is as new as the reader requires.
func (s *Server) prepareRead(ctx context.Context, c consistency) error {
	if c.consistent {
		if err := s.cfg.Cluster.VerifyLeader(ctx); err != nil {
			return ffrtmp.Errorf(ffrtmp.NoLeader, "verify leadership: %w", err)
		}
	}
	if c.index == 0 || s.cfg.State.Index() >= c.index {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, c.wait)
	defer cancel()
	if err := s.cfg.State.WaitIndex(waiting, c.index); err != nil {
		if s.stopping.Err() != nil {
			return errStopping
		}
		return &ffrtmp.Error{
			Code: ffrtmp.NoLeader, Field: indexField,
			Message: fmt.Sprintf("the state has not reached index %d within %s", c.index, c.wait), Err: err,
		}
	}
	return nil
}

// consistencyParameters are those of every endpoint that is servedBy byConsistency.
var consistencyParameters = []string{"consistent", "stale", "max_stale", indexField, "wait"}

// checkQuery refuses what url.URL.Query silently ignores: malformed parts, all but the first
// value of a parameter, and parameters that the endpoint does not have.
func (e *endpoint) checkQuery(raw string) error {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return ffrtmp.Errorf(ffrtmp.Invalid, "malformed query: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(q)) {
		switch {
		case !e.open && !e.hasParameter(name): // load balancers may add what they like
			return ffrtmp.FieldErrorf(name, "is not a query parameter of this path")
		case len(q[name]) > 1:
			return ffrtmp.FieldErrorf(name, "is repeated %d times", len(q[name]))
		}
	}
	return nil
}

func (e *endpoint) hasParameter(name string) bool {
	return slices.Contains(e.query, name) || e.servedBy == byConsistency && slices.Contains(consistencyParameters, name)
}

// queryBool reads a flag. Its presence alone turns it on.
func queryBool(q url.Values, name string) (bool, error) {
	switch q.Get(name) {
	case "":
		return q.Has(name), nil
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, ffrtmp.FieldErrorf(name, "%q is not true or false", q.Get(name))
}

func queryUint(q url.Values, name string) (uint64, error) {
	if !q.Has(name) {
		return 0, nil
	}
	n, err := strconv.ParseUint(q.Get(name), 10, 63)
	if err != nil {
		return 0, ffrtmp.FieldErrorf(name, "%q is not a whole number of 0 or more", q.Get(name))
	}
	return n, nil
}

// queryDuration reads a duration such as 30s, or a number of seconds, between 0
// and limit; a limit of 0 is none.
func queryDuration(q url.Values, name string, limit time.Duration) (time.Duration, error) {
	text := q.Get(name)
	d, err := time.ParseDuration(text)
	if err != nil {
		seconds, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return 0, ffrtmp.FieldErrorf(name, "%q is not a duration such as 30s", text)
		}
		d = time.Duration(seconds) * time.Second
	}
	return d, checkDuration(name, d, limit)
}

func checkDuration(field string, d, limit time.Duration) error {
	if d < 0 || limit > 0 && d > limit {
		return ffrtmp.FieldErrorf(field, "must be between 0s and %s", limit)
	}
	return nil
}
