package flags

import (
	"cmp"
	"io"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/pflag"
)

// Log is what a daemon's command line says of its log.
type Log struct{ level, format string }

// Register adds --log-level and --log-format.
func (l *Log) Register(fs *pflag.FlagSet) {
	fs.StringVar(&l.level, "log-level", "info", "trace, debug, info, warn or error")
	fs.StringVar(&l.format, "log-format", "text", "text or json")
}

// levelNames are v2.2's other names of levels.
var levelNames = map[string]string{"warning": "warn", "fatal": "error"}

// parsed is the level that the flag names, hclog.NoLevel for an unknown one.
func (l *Log) parsed() hclog.Level {
	name := strings.ToLower(l.level)
	return hclog.LevelFromString(cmp.Or(levelNames[name], name))
}

// Check refuses a value that is not known.
func (l *Log) Check() error {
	if l.parsed() == hclog.NoLevel {
		return Usagef("--log-level must be trace, debug, info, warn or error, not %q", l.level)
	}
	if !slices.Contains([]string{"text", "json"}, l.format) {
		return Usagef("--log-format must be text or json, not %q", l.format)
	}
	return nil
}

// Logger returns the logger that the flags ask for.
func (l *Log) Logger(name string, out io.Writer) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name: name, Level: l.parsed(), JSONFormat: l.format == "json", Output: out,
	})
}
