// Package flags reads the command lines of the daemons: long flags only, each
// also settable by the environment, every mistake one line.
package flags

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// EnvPrefix precedes the environment's name of every flag.
const EnvPrefix = "FFRTMP_"

// ErrUsage marks a command line that cannot be understood. Its message is one
// line for the user; the program ends with status 2.
var ErrUsage = errors.New("usage")

// usageError is an ErrUsage whose text is the message alone.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }
func (e *usageError) Unwrap() error { return ErrUsage }

// Usagef returns an error that is ErrUsage.
func Usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// Parse reads args into fs and then, for flags that args leave out, the
// environment through lookup (os.LookupEnv). It returns pflag.ErrHelp when help
// was asked for; any other error is ErrUsage. As in v2.2, one dash before the name of a flag is as good as two.
func Parse(fs *pflag.FlagSet, args []string, lookup func(string) (string, bool)) error {
	fs.SortFlags = false
	if err := fs.Parse(twoDashes(fs, args)); err != nil {
		return Explain(fs, err)
	}
	if fs.NArg() > 0 {
		return Usagef("unexpected argument %q: use --name value or --name=value, for switches --name or --name=false "+
			"(see --help)", fs.Arg(0))
	}
	var err error
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Changed || err != nil {
			return
		}
		name := EnvName(f.Name)
		if value, ok := lookup(name); ok {
			if setErr := fs.Set(f.Name, value); setErr != nil {
				err = Usagef("%s: %v", name, setErr)
			}
		}
	})
	return err
}

// twoDashes writes -name as --name where fs has a flag of that name. The value of a flag is left alone.
func twoDashes(fs *pflag.FlagSet, args []string) []string {
	args = slices.Clone(args)
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		dashed, ok := strings.CutPrefix(args[i], "-")
		name, _, joined := strings.Cut(strings.TrimPrefix(dashed, "-"), "=")
		f := fs.Lookup(name)
		if !ok || f == nil {
			continue
		}
		if !strings.HasPrefix(dashed, "-") {
			args[i] = "-" + args[i]
		}
		if !joined && f.NoOptDefVal == "" {
			i++
		}
	}
	return args
}

// EnvName is the environment's name of a flag.
func EnvName(flag string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Explain turns an error of fs.Parse into an ErrUsage of one line that says what
// to write instead. It returns pflag.ErrHelp as it is.
func Explain(fs *pflag.FlagSet, err error) error {
	var unknown *pflag.NotExistError
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case errors.As(err, &unknown):
		given := unknown.GetSpecifiedName()
		if short := unknown.GetSpecifiedShortnames(); short != "" {
			// "-prot 80" is read as the short flags p, r, o, t.
			return Usagef("unknown flag -%s: flags begin with two dashes%s", short, suggest(fs, short))
		}
		return Usagef("unknown flag --%s%s", given, suggest(fs, given))
	default:
		return Usagef("%v (see --help)", err)
	}
}

// suggest names the flag that a user most likely meant.
func suggest(fs *pflag.FlagSet, given string) string {
	best, least := "", len(given)/2+1
	fs.VisitAll(func(f *pflag.Flag) {
		if d := distance(given, f.Name); d < least && !f.Hidden {
			best, least = f.Name, d
		}
	})
	if best == "" {
		return " (see --help)"
	}
	return "; did you mean --" + best + "?"
}

// distance is the Levenshtein distance between two flag names. cobra suggests commands only, does
// not export its distance, and master and agent have no commands: ten lines beat a dependency.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
