package store

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
)

// attached is the schema name of a backup's database while a restore copies from it.
const attached = "restored"

// Attach makes a backup's database readable by the writer. It must not be in a transaction.
func (db *DB) Attach(path string) error {
	name := strings.ReplaceAll(sqlitedsn.File(path, "mode=ro", "immutable=1"), "'", "''")
	return db.run("ATTACH DATABASE '" + name + "' AS " + attached)
}

// Detach undoes Attach.
func (db *DB) Detach() error { return db.run("DETACH DATABASE " + attached) }

// replaced are the tables whose rows a restore replaces. The others are the cluster's own: its events
// and its audit log are a record of what it did, restores included, and their ids must not go back.
var replaced = []string{"job_spec", "job_state", "job_attempt", "job_log", "job_media", "idempotency", "imported"}

// mergeNodes adds the nodes that only the backup has, under new keys, and makes the copied rows name
// them by these. What both have stays as it is here, because it is newer: a v2.2 node is known by its
// address. A node that has not been heard here is offline.
const mergeNodes = `
CREATE TEMP TABLE restored_node AS SELECT b.key AS old, coalesce(l.key,
	(SELECT coalesce(max(key), 0) FROM main.node)
		+ row_number() OVER (PARTITION BY l.key IS NULL ORDER BY b.key)) AS new
	FROM restored.node b LEFT JOIN main.node l ON l.key = (SELECT n.key FROM main.node n
		WHERE n.id = b.id OR (n.legacy AND b.legacy AND n.address = b.address)
		ORDER BY n.id = b.id DESC, n.removed, n.key DESC LIMIT 1);
INSERT INTO main.node (key, %[1]s, offline) SELECT r.new, %[1]s, 1 FROM restored.node b
	JOIN restored_node r ON r.old = b.key WHERE r.new NOT IN (SELECT key FROM main.node) ORDER BY b.key;
UPDATE main.job_state SET node = (SELECT new FROM restored_node WHERE old = node), avoid = ''
	WHERE node IN (SELECT old FROM restored_node WHERE old <> new);
UPDATE main.job_state SET avoid = '' WHERE avoid <> '' AND EXISTS (SELECT 1 FROM restored_node WHERE old <> new);
UPDATE main.job_attempt SET node = (SELECT new FROM restored_node WHERE old = node)
	WHERE node IN (SELECT old FROM restored_node WHERE old <> new);
DROP TABLE restored_node;`

// mergeKeys adds the API keys that this cluster does not know. One that it has revoked stays revoked.
const mergeKeys = `INSERT OR IGNORE INTO main.api_key SELECT * FROM restored.api_key ORDER BY id`

// mergePredecessors adds the clusters from which the backup's had taken over.
const mergePredecessors = `INSERT OR IGNORE INTO main.cluster_setting
SELECT * FROM restored.cluster_setting WHERE key GLOB 'predecessor/*' ORDER BY key`

// Restore replaces the jobs by those of the attached database, within a transaction. Of a backup of
// this cluster itself, keys that are no longer here were removed after they ended; withKeys is false.
func (db *DB) Restore(withKeys bool) error {
	steps := make([]string, 0, 2*len(replaced)+2)
	for _, table := range replaced {
		steps = append(steps, "DELETE FROM main."+table, "INSERT INTO main."+table+" SELECT * FROM "+attached+"."+table)
	}
	columns, err := db.nodeColumns()
	if err != nil {
		return err
	}
	steps = append(steps, fmt.Sprintf(mergeNodes, columns))
	if withKeys {
		steps = append(steps, mergeKeys, mergePredecessors)
	}
	for _, sql := range append(steps, "DELETE FROM main.restore_chunk") {
		if err := db.run(sql); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	return nil
}

// nodeColumns are those of a node but for its key and whether it is offline.
func (db *DB) nodeColumns() (string, error) {
	rows, err := db.rows(`SELECT group_concat(name, ', ') FROM pragma_table_info('node')
	WHERE name NOT IN ('key', 'offline')`, 1)
	if err != nil {
		return "", err
	}
	return Text(rows[0]), nil
}

// RestoredMeta reads the row about the whole state of the attached database.
func (db *DB) RestoredMeta() (m Meta, err error) {
	row, err := db.rows(`SELECT time, next_seq, submitted, completed, failed, canceled, retries, losses, lease_epoch
	FROM restored.meta`, 9)
	if err != nil {
		return m, err
	}
	n := func(i int) int64 { return row[i].(int64) }
	return Meta{
		Time: n(0), NextSeq: uint64(n(1)), Submitted: n(2), Completed: n(3), Failed: n(4), Canceled: n(5),
		Retries: n(6), Losses: n(7), LeaseEpoch: n(8),
	}, nil
}

// rows reads the first row of a result.
func (w *writer) rows(sql string, columns int) (row []driver.Value, err error) {
	rows, err := w.query(sql)
	if err != nil {
		return nil, err
	}
	row = make([]driver.Value, columns)
	if err := errors.Join(rows.Next(row), rows.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", sql, err)
	}
	return row, nil
}

// Shrink checkpoints the WAL, which a restore makes as long as the state. It does not wait for readers.
func (db *DB) Shrink() error { return db.run("PRAGMA wal_checkpoint(TRUNCATE)") }
