// Package cli is what the command line of ffrtmp is made of and no command of it: settings from flags, environment
// and file, flags with a fixed set of values, tables and progress that fit a terminal.
package cli
