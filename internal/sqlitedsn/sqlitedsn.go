// Package sqlitedsn names SQLite database files to the driver: a path may hold characters that a URI gives a meaning.
package sqlitedsn

import "strings"

var escape = strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23")

// File returns the data source name of the database file at path. Options are of the form "mode=ro" or
// "_pragma=synchronous(off)".
func File(path string, options ...string) string {
	return "file:" + escape.Replace(path) + "?" + strings.Join(options, "&")
}
