// Package cli has the building blocks of the ffrtmp command line, but no commands: settings from flags, environment and
// file, flags with a fixed set of values, tables and progress lines that fit a terminal.
package cli
