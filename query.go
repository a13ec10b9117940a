package ffrtmp

// QueryRequest is the body of POST /query.
type QueryRequest struct {
	SQL string `json:"sql"`
}

// QueryResult is the response of POST /query. A value is a number, a string or null; a BLOB is
// a base64 string.
type QueryResult struct {
	Columns   []string `json:"columns"`
	Rows      [][]any  `json:"rows"`
	Count     int      `json:"count"`
	Truncated bool     `json:"truncated"` // rows were left out: the result is too large
}

// MaxSQLBytes is the largest size of a query's text in bytes.
const MaxSQLBytes = 64 << 10

// Validate checks that the query is neither empty nor longer than MaxSQLBytes.
func (q *QueryRequest) Validate() error {
	if q.SQL == "" {
		return FieldErrorf("sql", "is required")
	}
	return checkLength("sql", q.SQL, MaxSQLBytes)
}
