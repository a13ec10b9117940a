package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"

	"github.com/ffrtmp/ffrtmp"
)

var (
	queryJobs = readOnly(selectJob + `WHERE t.seq IN (SELECT value FROM json_each(?))`)
	// A value with an escape may contain any text.
	queryText = readOnly(`SELECT seq FROM job_spec WHERE seq IN (SELECT value FROM json_each(?1)) AND (id LIKE ?2
	OR labels LIKE ?2 OR parameters LIKE ?2 OR instr(labels, '\') OR instr(parameters, '\'))`)
)

// Summaries returns the jobs with some numbers, in no order, without logs and attempts. Numbers without a job
// are left out.
func (r Reader) Summaries(ctx context.Context, seqs []uint64) (jobs []ffrtmp.Job, err error) {
	list, err := json.Marshal(seqs)
	if err != nil {
		return nil, err
	}
	err = r.read(ctx, func(ctx context.Context, db *DB) error {
		return db.each(ctx, queryJobs, func(rows *sql.Rows) error {
			j, err := scanJob(rows.Scan)
			jobs = append(jobs, j)
			return err
		}, string(list))
	})
	return jobs, err
}

// MayContain returns those of the jobs that may contain a text in id, label or path, and some others.
func (r Reader) MayContain(ctx context.Context, text string, seqs []uint64) (some []uint64, err error) {
	list, err := json.Marshal(seqs)
	if err != nil {
		return nil, err
	}
	err = r.read(ctx, func(ctx context.Context, db *DB) error {
		return db.each(ctx, queryText, func(rows *sql.Rows) error {
			var seq uint64
			err := rows.Scan(&seq)
			some = append(some, seq)
			return err
		}, string(list), pattern(text))
	})
	return some, err
}

// pattern is the LIKE pattern of texts that may contain a text. LIKE ignores the case of ASCII letters only, and JSON
// may escape or separate what is neither letter nor digit: that matches anything.
func pattern(text string) string {
	var b strings.Builder
	b.WriteByte('%')
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', strings.ContainsRune("-./", r):
			b.WriteRune(r)
		default:
			b.WriteByte('%')
		}
	}
	b.WriteByte('%')
	return b.String()
}
