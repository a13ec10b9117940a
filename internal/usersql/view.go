package usersql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"modernc.org/sqlite"
	"modernc.org/sqlite/vtab"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/sqlrows"
)

// userViews are the views that users can query, each with the columns that have an
// index.
var userViews = map[string][]string{
	"jobs":     {"id", "sequence_number"},
	"nodes":    {"id"},
	"attempts": {"job_id", "sequence_number"},
}

// viewModule is the name of the virtual table module.
const viewModule = "ffrtmp_view"

// sandbox opens databases that have only virtual tables over userViews: a query cannot
// name anything else.
var sandbox = newSandbox()

func newSandbox() *sqlite.Driver {
	d := &sqlite.Driver{}
	if err := d.RegisterModule(viewModule, views{}); err != nil {
		panic(err) // duplicate name
	}
	return d
}

// active has the running queries, by the number in their virtual tables.
var active struct {
	sync.Mutex
	last    int
	queries map[string]*userQuery
}

// enter registers the query for virtual tables with the returned number.
func (q *userQuery) enter() (number string, leave func()) {
	active.Lock()
	defer active.Unlock()
	active.last++
	number = strconv.Itoa(active.last)
	if active.queries == nil {
		active.queries = map[string]*userQuery{}
	}
	active.queries[number] = q
	return number, func() {
		active.Lock()
		defer active.Unlock()
		delete(active.queries, number)
	}
}

// views makes virtual tables: USING ffrtmp_view(number of the query, view).
type views struct{}

// Create implements vtab.Module.
func (views) Create(c vtab.Context, args []string) (vtab.Table, error) {
	if len(args) != 5 {
		return nil, errors.New("not available to queries")
	}
	active.Lock()
	q := active.queries[args[3]]
	active.Unlock()
	if q == nil || userViews[args[4]] == nil {
		return nil, errors.New("not available to queries")
	}
	v := &view{query: q, name: args[4]}
	types, err := v.load()
	if err != nil {
		return nil, err
	}
	return v, c.Declare("CREATE TABLE x (" + strings.Join(types, ", ") + ")")
}

// Connect implements vtab.Module.
func (m views) Connect(c vtab.Context, args []string) (vtab.Table, error) { return m.Create(c, args) }

// view is a virtual table over a view of the state.
type view struct {
	query   *userQuery
	name    string
	columns []string
}

// load reads the view's columns and returns them with their types.
func (v *view) load() (types []string, err error) {
	rows, err := v.query.state.QueryContext(v.query.ctx, "SELECT name, type FROM pragma_table_info(?) ORDER BY cid",
		v.name)
	err = sqlrows.Each(rows, err, func(rows *sql.Rows) error {
		var name, kind string
		err := rows.Scan(&name, &kind)
		v.columns = append(v.columns, name)
		types = append(types, name+" "+kind)
		return err
	})
	return types, err
}

// BestIndex implements vtab.Table: it takes one equality with a column of userViews, else one bound of sequence_number,
// and an order by sequence_number, so that a query with a limit reads no more than it needs. SQLite checks all
// conditions again. The plan is the column's number in IdxNum and "used columns,operator,order" in IdxStr.
func (v *view) BestIndex(info *vtab.IndexInfo) error {
	info.IdxNum = -1
	operator := ""
	info.EstimatedCost, info.EstimatedRows = 1e6, 1e6
	for i := range info.Constraints {
		c := &info.Constraints[i]
		if c.Usable && c.Op == vtab.OpEQ && c.Column >= 0 && slices.Contains(userViews[v.name], v.columns[c.Column]) {
			v.take(info, i)
			operator = "="
			info.EstimatedCost, info.EstimatedRows = 10, 1
			break
		}
	}
	for i := range info.Constraints {
		c := &info.Constraints[i]
		if bound, ok := bounds[c.Op]; ok && operator == "" && c.Usable && c.Column >= 0 && v.numbered(c.Column) {
			v.take(info, i)
			operator = bound
			info.EstimatedCost, info.EstimatedRows = 1e5, 1e5
		}
	}
	info.IdxStr = strconv.FormatUint(info.ColUsed, 16) + "," + operator + "," + v.order(info)
	return nil
}

// bounds are the operators of bounds.
var bounds = map[vtab.ConstraintOp]string{vtab.OpGT: ">", vtab.OpGE: ">=", vtab.OpLT: "<", vtab.OpLE: "<="}

// take makes a constraint the plan's.
func (v *view) take(info *vtab.IndexInfo, constraint int) {
	c := &info.Constraints[constraint]
	c.ArgIndex = 0
	info.IdxNum = int64(c.Column)
}

// numbered reports whether a column is the key of the view's rows.
func (v *view) numbered(column int) bool {
	return v.name == "jobs" && v.columns[column] == "sequence_number"
}

// order takes the order that a query wants, if rows can be read in it.
func (v *view) order(info *vtab.IndexInfo) string {
	if len(info.OrderBy) != 1 || info.OrderBy[0].Column < 0 || !v.numbered(info.OrderBy[0].Column) {
		return ""
	}
	info.OrderByConsumed = true
	if info.OrderBy[0].Desc {
		return "DESC"
	}
	return "ASC"
}

// Open implements vtab.Table.
func (v *view) Open() (vtab.Cursor, error) { return &viewCursor{view: v}, nil }

// Disconnect implements vtab.Table.
func (*view) Disconnect() error { return nil }

// Destroy implements vtab.Table.
func (*view) Destroy() error { return nil }

// viewCursor reads a view's rows from the state, those columns only that are used.
type viewCursor struct {
	*view
	rows  *sql.Rows
	row   []any // by column; nil for those that are not used
	into  []any
	count int64
	eof   bool
}

// Filter implements vtab.Cursor.
func (c *viewCursor) Filter(column int, plan string, values []vtab.Value) error {
	used, plan, _ := strings.Cut(plan, ",")
	operator, order, _ := strings.Cut(plan, ",")
	mask, err := strconv.ParseUint(used, 16, 64)
	if err != nil {
		return err
	}
	if err := c.Close(); err != nil {
		return err
	}
	c.row, c.into = make([]any, len(c.columns)), nil
	var names []string
	for i, name := range c.columns {
		if mask>>i&1 == 1 {
			names = append(names, name)
			c.into = append(c.into, &c.row[i])
		}
	}
	if names == nil {
		names, c.into = []string{"1"}, []any{new(any)}
	}
	text := "SELECT " + strings.Join(names, ", ") + " FROM " + c.name
	var args []any
	if column >= 0 && len(values) == 1 && comparable(c.columns[column], values[0]) {
		text += " WHERE " + c.columns[column] + " " + operator + " ?"
		args = []any{values[0]}
	}
	if order != "" {
		text += " ORDER BY sequence_number " + order
	}
	if c.rows, err = c.query.state.QueryContext(c.query.ctx, text, args...); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return c.Next()
}

// comparable reports whether SQLite compares a value with a column without converting its
// type; others are compared row by row.
func comparable(column string, v vtab.Value) bool {
	if column == "sequence_number" {
		_, ok := v.(int64)
		return ok
	}
	_, ok := v.(string)
	return ok
}

// Next implements vtab.Cursor.
func (c *viewCursor) Next() error {
	c.count++
	if c.eof = !c.rows.Next(); c.eof {
		return c.rows.Err()
	}
	return c.rows.Scan(c.into...)
}

// Eof implements vtab.Cursor.
func (c *viewCursor) Eof() bool { return c.eof }

// Column implements vtab.Cursor. Parameters are redacted as in the API.
func (c *viewCursor) Column(i int) (vtab.Value, error) {
	if text, ok := c.row[i].(string); ok && c.columns[i] == "parameters" {
		return string(ffrtmp.RedactParameters([]byte(text))), nil
	}
	return c.row[i], nil
}

// Rowid implements vtab.Cursor.
func (c *viewCursor) Rowid() (int64, error) { return c.count, nil }

// Close implements vtab.Cursor.
func (c *viewCursor) Close() error {
	if c.rows == nil {
		return nil
	}
	rows := c.rows
	c.rows = nil
	return rows.Close()
}

// userQuery is a running query.
type userQuery struct {
	ctx   context.Context
	state *sql.Tx // reads the state
}
