package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/sqlrows"
)

// Jobs returns a page of the jobs that a filter selects, without logs and
// attempts. Both must have been validated.
func (r Reader) Jobs(ctx context.Context, filter ffrtmp.Filter, page ffrtmp.Page) (ffrtmp.List, error) {
	list := ffrtmp.List{Jobs: []ffrtmp.Job{}}
	err := r.list(ctx, filter, page, selectJob, func(rows *sql.Rows) error {
		j, err := scanJob(rows)
		list.Jobs = append(list.Jobs, j)
		return err
	})
	if len(list.Jobs) > page.Limit {
		list.Jobs = list.Jobs[:page.Limit]
		list.NextCursor = strconv.FormatUint(list.Jobs[page.Limit-1].SequenceNumber, 10)
	}
	list.Count = len(list.Jobs)
	return list, err
}

// Seqs returns the sequence numbers of the jobs that a filter selects, ascending,
// at most limit of those after a number.
func (r Reader) Seqs(ctx context.Context, filter ffrtmp.Filter, after uint64, limit int) ([]uint64, error) {
	var seqs []uint64
	err := r.list(ctx, filter, ffrtmp.Page{Limit: limit, Cursor: after, Order: ffrtmp.Ascending}, `SELECT t.seq
FROM job_state t CROSS JOIN job_spec s ON s.seq = t.seq LEFT JOIN node n ON n.key = t.node `,
		func(rows *sql.Rows) error {
			var seq uint64
			err := rows.Scan(&seq)
			seqs = append(seqs, seq)
			return err
		})
	return seqs[:min(len(seqs), limit)], err
}

// list calls scan for up to one row more than the page's limit.
//
// The database has an index on status only for failed and canceled jobs, because every
// transition would have to update it. Unfinished jobs are found in memory instead; for
// all others the order of sequence numbers suffices.
func (r Reader) list(ctx context.Context, filter ffrtmp.Filter, page ffrtmp.Page, columns string,
	scan func(*sql.Rows) error,
) error {
	var active []uint64
	byMemory := filter.Status != "" && !filter.Status.Terminal()
	if byMemory {
		active = r.activeSeqs(filter.Status, page)
	}
	where, args := conditions(filter, page)
	return r.read(ctx, func(ctx context.Context, db *DB) error {
		left := page.Limit + 1
		count := func(rows *sql.Rows) error {
			left--
			return scan(rows)
		}
		if !byMemory {
			rows, err := db.readers.QueryContext(ctx, columns+where+` LIMIT ?`, append(args, left)...)
			return sqlrows.Each(rows, err, count)
		}
		for chunk := range slices.Chunk(active, 1000) {
			some, err := json.Marshal(chunk)
			if err != nil {
				return err
			}
			rows, err := db.readers.QueryContext(ctx, columns+where+` LIMIT ?`, append(slices.Clone(args), string(some),
				left)...)
			if err := sqlrows.Each(rows, err, count); err != nil {
				return err
			}
			if left == 0 {
				break
			}
		}
		return nil
	})
}

// activeSeqs returns the jobs of a non-terminal status after the page's cursor, in the
// page's order.
func (r Reader) activeSeqs(status ffrtmp.Status, page ffrtmp.Page) []uint64 {
	seqs := r.active(status, func(seq uint64) bool { return after(page, seq) })
	slices.Sort(seqs)
	if page.Order != ffrtmp.Ascending {
		slices.Reverse(seqs)
	}
	return seqs
}

// after reports whether a job comes after the page's cursor.
func after(page ffrtmp.Page, seq uint64) bool {
	switch {
	case page.Cursor == 0:
		return true
	case page.Order == ffrtmp.Ascending:
		return seq > page.Cursor
	default:
		return seq < page.Cursor
	}
}

// conditions converts a filter and a page to SQL over t (state), s (spec) and n (node).
func conditions(filter ffrtmp.Filter, page ffrtmp.Page) (string, []any) {
	var terms []string
	var args []any
	add := func(term string, values ...any) {
		terms = append(terms, term)
		args = append(args, values...)
	}
	order := "DESC"
	if page.Order == ffrtmp.Ascending {
		order = "ASC"
	}
	switch {
	case page.Cursor > 0 && order == "ASC":
		add("t.seq > ?", int64(page.Cursor))
	case page.Cursor > 0:
		add("t.seq < ?", int64(page.Cursor))
	}
	switch filter.Status {
	case "":
	case ffrtmp.Failed, ffrtmp.Canceled:
		// SQLite uses a partial index only when it sees the index's own condition.
		add(fmt.Sprintf("t.status IN (%d, %d)", StatusFailed, StatusCanceled))
		fallthrough
	default:
		add("t.status = ?", Code(StatusCodes, filter.Status))
	}
	if filter.Queue != "" {
		add("t.queue = ?", Code(QueueCodes, filter.Queue))
	}
	if filter.Priority != "" {
		add("t.priority = ?", Code(PriorityCodes, filter.Priority))
	}
	if filter.Scenario != "" {
		add("s.scenario = ?", filter.Scenario)
	}
	if filter.NodeID != "" {
		add("t.node = (SELECT key FROM node WHERE id = ?)", filter.NodeID)
	}
	if key, value, exact := strings.Cut(filter.Label, "="); exact {
		add("EXISTS (SELECT 1 FROM json_each(s.labels) l WHERE l.key = ? AND l.value = ?)", key, value)
	} else if key != "" {
		add("EXISTS (SELECT 1 FROM json_each(s.labels) l WHERE l.key = ?)", key)
	}
	if filter.Status != "" && !filter.Status.Terminal() {
		terms = append(terms, "t.seq IN (SELECT value FROM json_each(?))") // its argument comes last
	}
	if len(terms) == 0 {
		return "ORDER BY t.seq " + order, nil
	}
	return "WHERE " + strings.Join(terms, " AND ") + " ORDER BY t.seq " + order, args
}
