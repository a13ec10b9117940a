// Package sqlitedsn makes the driver's data source names of SQLite databases: a path may hold characters that have a
// meaning in a URI.
package sqlitedsn

import "strings"

var escape = strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23")

// File returns the data source name of the database file at path. Options are of the form "mode=ro" or
// "_pragma=synchronous(off)".
func File(path string, options ...string) string {
	return "file:" + escape.Replace(path) + "?" + strings.Join(options, "&")
}

// Memory returns the data source name of a database in memory; every connection has its own. Options are File's.
func Memory(options ...string) string {
	return File(":memory:", options...)
}
