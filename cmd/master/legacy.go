package main

import (
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/ffrtmp/ffrtmp/internal/flags"
)

// defaultCollector is where v2.2's --tracing sent traces when no endpoint was set.
const defaultCollector = "localhost:4318"

// legacy are the flags that only v2.2's master had.
type legacy struct {
	flags.Legacy
	tracing   bool
	cleanup   bool
	retention int // days
}

func (l *legacy) register(fs *pflag.FlagSet) {
	fs.BoolVar(&l.tracing, "tracing", false, "v2.2: send traces (now: --tracing-endpoint)")
	fs.BoolVar(&l.cleanup, "cleanup", true, "v2.2: remove old jobs (now: --retention 0 keeps them)")
	fs.IntVar(&l.retention, "cleanup-retention", 7, "v2.2: days that finished jobs are kept (now: --retention)")
	flags.Hide(fs, "tracing", "cleanup", "cleanup-retention")
	l.Ignore(fs, "scheduler-interval", "", "jobs start as soon as a node is free; remove the flag")
	l.Ignore(fs, "db-type", "sqlite", sqliteOnly)
	l.Ignore(fs, "db-dsn", "", sqliteOnly)
}

// sqliteOnly replaces v2.2's choice of a database.
const sqliteOnly = "the state is SQLite (--db), replicated to every master; see PostgreSQL in the migration guide"

// variables notes v2.2's variables, which chose the database like its flags.
func (l *legacy) variables(lookup func(string) (string, bool)) {
	l.IgnoreVariable(lookup, "DATABASE_TYPE", "sqlite", sqliteOnly)
	l.IgnoreVariable(lookup, "DATABASE_DSN", "", sqliteOnly)
}

// apply makes l's flags do what they did. The flags that replaced them take precedence.
func (l *legacy) apply(fs *pflag.FlagSet, c *config) {
	switch {
	case fs.Changed("retention"):
	case !l.cleanup:
		c.Retention = 0
	case fs.Changed("cleanup-retention"):
		// v2.2 cleaned up once a day.
		c.Retention = time.Duration(max(l.retention, 1)) * 24 * time.Hour
	}
	switch {
	case !fs.Changed("tracing"):
	case !l.tracing:
		c.TracingEndpoint = ""
	case strings.TrimSpace(c.TracingEndpoint) == "":
		c.TracingEndpoint = defaultCollector
	}
}
