package fsm

import (
	"context"
	"slices"
	"strconv"

	"github.com/ffrtmp/ffrtmp"
)

const (
	// maxExamined bounds the jobs that a page reads from the database beside those it returns. Only a search for a text
	// comes near it: what else a filter selects is known in memory.
	maxExamined = 1024
	// listBatch is how many of them are read at once.
	listBatch = 1024
)

// Jobs returns a page of the jobs that a filter selects, without logs and attempts. Both must have been validated.
func (f *FSM) Jobs(ctx context.Context, filter ffrtmp.Filter, page ffrtmp.Page) (ffrtmp.List, error) {
	list := ffrtmp.List{Jobs: []ffrtmp.Job{}}
	more := true
	for examined := 0; more && examined < page.Limit+maxExamined; {
		want := page.Limit + 1 - len(list.Jobs)
		if examined > 0 {
			want = max(want, listBatch)
		}
		keys, err := f.candidates(ctx, &filter, page, want)
		if err != nil {
			return list, err
		}
		jobs, err := f.selected(ctx, &filter, keys)
		if err != nil {
			return list, err
		}
		if fill(&list, &page, keys, jobs) {
			break
		}
		examined += len(keys)
		more = len(keys) == want
	}
	if more {
		list.NextCursor = strconv.FormatUint(page.Cursor, 10)
	}
	list.Count = len(list.Jobs)
	return list, nil
}

// fill adds the jobs that have been found among keys, and moves the page's cursor behind them. It reports whether the
// page is full.
func fill(list *ffrtmp.List, page *ffrtmp.Page, keys []uint64, jobs map[uint64]ffrtmp.Job) bool {
	for _, key := range keys {
		j, ok := jobs[key&seqMask]
		if ok && len(list.Jobs) == page.Limit {
			return true
		}
		if ok {
			list.Jobs = append(list.Jobs, j)
		}
		page.Cursor = key
	}
	return false
}

// selected reads jobs and returns by number those that the filter selects.
func (f *FSM) selected(ctx context.Context, filter *ffrtmp.Filter, keys []uint64) (map[uint64]ffrtmp.Job, error) {
	seqs := make([]uint64, len(keys))
	for i, key := range keys {
		seqs[i] = key & seqMask
	}
	var err error
	if filter.Text != "" {
		if seqs, err = f.MayContain(ctx, filter.Text, seqs); err != nil {
			return nil, err
		}
	}
	read, err := f.Summaries(ctx, seqs)
	jobs := make(map[uint64]ffrtmp.Job, len(read))
	for i := range read {
		if filter.Matches(&read[i]) {
			jobs[read[i].SequenceNumber] = read[i]
		}
	}
	return jobs, err
}

// Seqs returns the sequence numbers of the jobs that a filter selects, ascending, at most limit of those after a
// number.
func (f *FSM) Seqs(ctx context.Context, filter ffrtmp.Filter, after uint64, limit int) ([]uint64, error) {
	seqs := []uint64{}
	page := ffrtmp.Page{Sort: ffrtmp.SortCreated, Order: ffrtmp.Ascending, Cursor: after}
	for len(seqs) < limit {
		keys, err := f.candidates(ctx, &filter, page, listBatch)
		if err != nil {
			return nil, err
		}
		if len(keys) > 0 {
			page.Cursor = keys[len(keys)-1]
		}
		last := len(keys) < listBatch
		if !known(&filter) {
			selected, err := f.selected(ctx, &filter, keys)
			if err != nil {
				return nil, err
			}
			keys = slices.DeleteFunc(keys, func(key uint64) bool { _, ok := selected[key]; return !ok })
		}
		seqs = append(seqs, keys...)
		if last {
			break
		}
	}
	return seqs[:min(len(seqs), limit)], nil
}

// known reports whether columns alone decide what a filter selects.
func known(f *ffrtmp.Filter) bool {
	return f.Scenario == "" && f.Label == "" && f.Text == "" && f.CreatedAfter.IsZero() && f.CreatedBefore.IsZero()
}
