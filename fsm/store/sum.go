package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"

	"github.com/ffrtmp/ffrtmp/internal/sqlrows"
)

// Bounds of what one sum reads of a table, whatever its size.
const (
	sumWindow = 2000    // rows, from where the last sum has ended
	sumNewest = 200     // rows
	sumBytes  = 4 << 20 // of either
)

// summed are the tables of the replicated state with their keys.
var summed = []summedTable{
	{"meta", []string{"one"}},
	{"job_spec", []string{"seq"}},
	{"job_state", []string{"seq"}},
	{"job_attempt", []string{"seq", "attempt"}},
	{"job_log", []string{"seq", "attempt"}},
	{"job_media", []string{"seq", "attempt"}},
	{"node", []string{"key"}},
	{"idempotency", []string{"n"}},
	{"api_key", []string{"id"}},
	{"cluster_setting", []string{"key"}},
	{"audit", []string{"log_index", "n"}},
	{"event", []string{"idx"}},
	{"event_floor", []string{"one"}},
	{"imported", []string{"id"}},
	{"restore_chunk", []string{"n"}},
}

type summedTable struct {
	name string
	key  []string
}

// Cursors are the keys, by table, behind which the next sum begins. A table without one begins with its first row.
type Cursors map[string][]string

// StateSum is a checksum of a part of the state at a Raft index. Two masters that have applied the same entries
// have the same sums.
type StateSum struct {
	Index  uint64            `json:"index"`
	Schema int               `json:"schema"` // sums of different schemas say nothing
	Tables map[string]string `json:"tables"`
	Next   Cursors           `json:"-"`
}

// Differing names the tables whose sums differ.
func (s *StateSum) Differing(other *StateSum) (tables []string) {
	for _, t := range summed {
		if s.Tables[t.name] != other.Tables[t.name] {
			tables = append(tables, t.name)
		}
	}
	return tables
}

// Pinned is one moment of the state. It delays the checkpoint of the WAL.
type Pinned struct{ tx *sql.Tx }

// Pin captures what has been committed, within a fraction of a millisecond.
func (db *DB) Pin(ctx context.Context) (*Pinned, error) {
	tx, err := db.pins.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	var one int // SQLite's transaction begins with its first read
	if err := tx.QueryRowContext(ctx, `SELECT one FROM meta`).Scan(&one); err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return &Pinned{tx}, nil
}

// Close releases the moment.
func (p *Pinned) Close() error { return p.tx.Rollback() }

// Sum reads the rows behind the cursors and the newest ones of each table, a bounded number of them.
func (p *Pinned) Sum(ctx context.Context, from Cursors) (*StateSum, error) {
	s := &StateSum{Schema: SchemaVersion, Tables: map[string]string{}, Next: Cursors{}}
	err := p.tx.QueryRowContext(ctx, `SELECT applied_index FROM meta`).Scan(&s.Index)
	for _, t := range summed {
		if err != nil {
			return nil, fmt.Errorf("sum of the state: %w", err)
		}
		var next []string
		if s.Tables[t.name], next, err = p.sumTable(ctx, t, from[t.name]); next != nil {
			s.Next[t.name] = next
		}
	}
	return s, err
}

func (p *Pinned) sumTable(ctx context.Context, t summedTable, from []string) (sum string, next []string, err error) {
	h := sha256.New()
	window := tableReader{hash: h, key: t.key, limit: sumWindow}
	var args []any
	where := ""
	if len(from) == len(t.key) {
		if args, err = parseKey(from); err != nil {
			return "", nil, err
		}
		where = " WHERE (" + strings.Join(t.key, ", ") + ") > (?" + strings.Repeat(", ?", len(t.key)-1) + ")"
	}
	query := "SELECT * FROM " + t.name + where + " ORDER BY " + strings.Join(t.key, ", ") + " LIMIT ?"
	if err := window.read(ctx, p.tx, query, append(args, sumWindow)...); err != nil {
		return "", nil, err
	}
	newest := tableReader{hash: h, key: t.key, limit: sumNewest}
	query = "SELECT * FROM " + t.name + " ORDER BY " + strings.Join(t.key, " DESC, ") + " DESC LIMIT ?"
	if err := newest.read(ctx, p.tx, query, sumNewest); err != nil {
		return "", nil, err
	}
	if window.full {
		next = window.last
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), next, nil
}

// tableReader adds rows to a hash.
type tableReader struct {
	hash  hash.Hash
	key   []string
	limit int

	rows, bytes int
	full        bool     // a bound has ended it: there may be more rows
	last        []string // key of the last row
	buffer      []byte
}

func (r *tableReader) read(ctx context.Context, tx *sql.Tx, query string, args ...any) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	err = sqlrows.Values(rows, err, func(columns []string, values []any) error {
		r.add(values)
		if r.full = r.rows == r.limit || r.bytes >= sumBytes; r.full {
			r.last = keyOf(r.key, columns, values)
			return ErrStop
		}
		return nil
	})
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

// add hashes a row: each value with its type and, where that varies, its length.
func (r *tableReader) add(values []any) {
	b := r.buffer[:0]
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			b = append(b, 'n')
		case int64:
			b = binary.AppendVarint(append(b, 'i'), v)
		case string:
			b = append(binary.AppendUvarint(append(b, 't'), uint64(len(v))), v...)
		case []byte:
			b = append(binary.AppendUvarint(append(b, 'b'), uint64(len(v))), v...)
		default:
			b = fmt.Appendf(append(b, '?'), "%v", v)
		}
	}
	r.hash.Write(append(b, '\n'))
	r.buffer = b
	r.rows++
	r.bytes += len(b)
}

// keyOf returns a row's key as text: each part with its type before it.
func keyOf(key, columns []string, values []any) []string {
	text := make([]string, len(key))
	for i, name := range key {
		switch v := values[slices.Index(columns, name)].(type) {
		case int64:
			text[i] = "i" + strconv.FormatInt(v, 10)
		default:
			text[i] = fmt.Sprintf("t%s", v)
		}
	}
	return text
}

func parseKey(key []string) ([]any, error) {
	args := make([]any, len(key))
	for i, part := range key {
		switch {
		case strings.HasPrefix(part, "t"):
			args[i] = part[1:]
		case strings.HasPrefix(part, "i"):
			n, err := strconv.ParseInt(part[1:], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("cursor %q: %w", part, err)
			}
			args[i] = n
		default:
			return nil, fmt.Errorf("cursor %q: unknown type", part)
		}
	}
	return args, nil
}
