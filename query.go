package ffrtmp

// QueryRequest is the body of POST /query.
type QueryRequest struct {
	SQL string `json:"sql"`
}

// QueryResult is its answer. A value is a number, a string, null, or, of a BLOB,
// base64.
type QueryResult struct {
	Columns   []string `json:"columns"`
	Rows      [][]any  `json:"rows"`
	Count     int      `json:"count"`
	Truncated bool     `json:"truncated"` // there are more rows than one answer has
}

// MaxSQLBytes bounds a query's text.
const MaxSQLBytes = 64 << 10

// Validate checks what can be said of a query without reading it.
func (q *QueryRequest) Validate() error {
	switch {
	case q.SQL == "":
		return FieldErrorf("sql", "is missing")
	case len(q.SQL) > MaxSQLBytes:
		return FieldErrorf("sql", "is longer than %d bytes", MaxSQLBytes)
	}
	return nil
}
