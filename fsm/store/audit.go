package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strconv"

	"github.com/ffrtmp/ffrtmp"
)

var queryAudit = readOnly(`SELECT log_index, n, time, principal, key_name, source, request_id, action, target, detail,
	outcome FROM audit
WHERE (log_index, n) >= (SELECT log_index, n FROM audit WHERE time >= ? ORDER BY time, log_index, n LIMIT 1)
AND (log_index, n) < (?, ?) ORDER BY log_index DESC, n DESC LIMIT ?`)

// Audit returns a page of the audit log, newest first. The page must have been
// validated except for its cursor.
func (r Reader) Audit(ctx context.Context, page ffrtmp.AuditPage) (ffrtmp.AuditList, error) {
	list := ffrtmp.AuditList{Records: []ffrtmp.AuditRecord{}}
	before, n := int64(math.MaxInt64), int64(0)
	if page.Cursor != "" {
		if count, err := fmt.Sscanf(page.Cursor, "%d.%d", &before, &n); err != nil || count != 2 ||
			page.Cursor != fmt.Sprintf("%d.%d", before, n) {
			return list, ffrtmp.FieldErrorf("cursor", "is invalid")
		}
	}
	since := int64(0)
	if !page.Since.IsZero() {
		since = page.Since.UnixNano()
	}
	err := r.read(ctx, func(ctx context.Context, db *DB) error {
		return db.each(ctx, queryAudit, func(rows *sql.Rows) error {
			var r ffrtmp.AuditRecord
			var index, n, at int64
			err := rows.Scan(&index, &n, &at, &r.Principal, &r.KeyName, &r.Source, &r.RequestID, &r.Action, &r.Target,
				&r.Detail, &r.Outcome)
			r.ID, r.Time = strconv.FormatInt(index, 10)+"."+strconv.FormatInt(n, 10), TimeOf(at)
			list.Records = append(list.Records, r)
			return err
		}, since, before, n, page.Limit+1)
	})
	if len(list.Records) > page.Limit {
		list.Records = list.Records[:page.Limit]
		list.NextCursor = list.Records[page.Limit-1].ID
	}
	list.Count = len(list.Records)
	return list, err
}
