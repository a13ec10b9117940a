package client

import (
	"context"
	"iter"
	"strconv"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// ListOptions selects one page of jobs. The zero value selects the newest ffrtmp.DefaultLimit jobs.
type ListOptions struct {
	ffrtmp.Filter
	Limit  int          // jobs per page, at most ffrtmp.MaxLimit; 0: ffrtmp.DefaultLimit
	Cursor string       // List.NextCursor of the page before
	Sort   ffrtmp.Sort  // "": ffrtmp.SortCreated
	Order  ffrtmp.Order // "": ffrtmp.Descending
}

// Jobs returns one page of jobs, without their logs and attempts. A page may have fewer jobs than its limit, even none:
// only an empty NextCursor ends the list.
func (c *Client) Jobs(ctx context.Context, list ListOptions, opts ...Option) (ffrtmp.List, error) {
	var page ffrtmp.List
	call := read("/jobs", &page, opts)
	for name, value := range map[string]string{
		"status":   string(list.Status),
		"queue":    string(list.Queue),
		"priority": string(list.Priority),
		"scenario": list.Scenario,
		"node_id":  list.NodeID,
		"label":    list.Label,
		"q":        list.Text,
		"cursor":   list.Cursor,
		"sort":     string(list.Sort),
		"order":    string(list.Order),
	} {
		if value != "" {
			call.query.Set(name, value)
		}
	}
	for name, value := range map[string]time.Time{
		"created_after": list.CreatedAfter, "created_before": list.CreatedBefore,
	} {
		if !value.IsZero() {
			call.query.Set(name, value.UTC().Format(time.RFC3339Nano))
		}
	}
	if list.Limit != 0 {
		call.query.Set("limit", strconv.Itoa(list.Limit))
	}
	err := c.do(ctx, call)
	return page, err
}

// AllJobs iterates over all jobs that the options select, page by page from their cursor on. It ends after the first
// error.
func (c *Client) AllJobs(ctx context.Context, list ListOptions, opts ...Option) iter.Seq2[ffrtmp.Job, error] {
	return func(yield func(ffrtmp.Job, error) bool) {
		for {
			page, err := c.Jobs(ctx, list, opts...)
			if err != nil {
				yield(ffrtmp.Job{}, err)
				return
			}
			for _, j := range page.Jobs {
				if !yield(j, nil) {
					return
				}
			}
			if page.NextCursor == "" {
				return
			}
			list.Cursor = page.NextCursor
		}
	}
}
