package flags

import (
	"strconv"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/pflag"
)

// Legacy holds the flags and variables of v2.2 that have no effect: a command line with them still starts, and each is
// answered with one line of the log that says what replaces it.
type Legacy struct {
	ignored   []*ignored
	variables []variable // those that are set
}

// variable is a variable of the environment without effect.
type variable struct{ name, instead string }

// ignored is a flag without effect. It is a pflag.Value that takes any text.
type ignored struct {
	flag    *pflag.Flag
	value   string
	instead string
	silent  string // the value that needs no line, because it asks for what happens anyway
}

// String implements pflag.Value.
func (i *ignored) String() string { return i.value }

// Set implements pflag.Value.
func (i *ignored) Set(text string) error { i.value = text; return nil }

// Type implements pflag.Value.
func (i *ignored) Type() string { return "string" }

// Ignore adds a flag that takes a value. A use of it is answered with instead, unless its value is silent.
func (l *Legacy) Ignore(fs *pflag.FlagSet, name, silent, instead string) {
	i := &ignored{instead: instead, silent: silent}
	i.flag = fs.VarPF(i, name, "", "")
	i.flag.Hidden = true
	l.ignored = append(l.ignored, i)
}

// IgnoreSwitch is Ignore for a flag that needs no value. It is answered unless its value is silent.
func (l *Legacy) IgnoreSwitch(fs *pflag.FlagSet, name string, silent bool, instead string) {
	l.Ignore(fs, name, strconv.FormatBool(silent), instead)
	fs.Lookup(name).NoOptDefVal = "true"
}

// IgnoreVariable is Ignore for a variable of the environment.
func (l *Legacy) IgnoreVariable(lookup func(string) (string, bool), name, silent, instead string) {
	if value, _ := lookup(name); value != "" && value != silent {
		l.variables = append(l.variables, variable{name, instead})
	}
}

// Hide keeps flags of v2.2 that do what they did out of the help.
func Hide(fs *pflag.FlagSet, names ...string) {
	for _, name := range names {
		fs.Lookup(name).Hidden = true
	}
}

// Warn logs one line for each flag and variable that is set and does nothing. Values stay out of the log: they
// may hold a password.
func (l *Legacy) Warn(logger hclog.Logger) {
	for _, i := range l.ignored {
		if i.flag.Changed && i.meaning() != i.silent {
			logger.Warn("flag of v2.2 has no effect", "flag", "--"+i.flag.Name, "instead", i.instead)
		}
	}
	for _, v := range l.variables {
		logger.Warn("variable of v2.2 has no effect", "variable", v.name, "instead", v.instead)
	}
}

// meaning is the value; a switch may be written 1, t, TRUE and so on.
func (i *ignored) meaning() string {
	if b, err := strconv.ParseBool(i.value); err == nil && i.flag.NoOptDefVal != "" {
		return strconv.FormatBool(b)
	}
	return i.value
}
