package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"

	"github.com/ffrtmp/ffrtmp/internal/sqlrows"
)

// hashed are the queries that read the replicated state, in a total order.
var hashed = func() (all []query) {
	for _, t := range summed {
		all = append(all, readOnly("SELECT * FROM "+t.name+" ORDER BY "+strings.Join(t.key, ", ")))
	}
	return all
}()

// ContentHash returns a hash of the whole state: equal on two masters that have
// applied the same entries. It reads everything in one transaction.
func (r Reader) ContentHash(ctx context.Context) (sum string, err error) {
	h := sha256.New()
	err = r.read(ctx, func(ctx context.Context, db *DB) error {
		return db.readTx(ctx, func(tx *sql.Tx) error {
			for _, q := range hashed {
				if err := hashRows(ctx, h, tx.StmtContext(ctx, db.queries[q])); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

func hashRows(ctx context.Context, h hash.Hash, q *sql.Stmt) error {
	rows, err := q.QueryContext(ctx)
	return sqlrows.Values(rows, err, func(_ []string, values []any) error {
		_, err := fmt.Fprintf(h, "%q\n", values)
		return err
	})
}
