package flags

import (
	"io"
	"slices"

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

// Check refuses a value that is not known.
func (l *Log) Check() error {
	if hclog.LevelFromString(l.level) == hclog.NoLevel {
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
		Name: name, Level: hclog.LevelFromString(l.level), JSONFormat: l.format == "json", Output: out,
	})
}
