package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// format is the form in which results are printed.
type format string

const (
	formatTable format = "table"
	formatJSON  format = "json"
)

func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "format" }

// Set implements pflag.Value.
func (f *format) Set(s string) error {
	switch format(s) {
	case formatTable, formatJSON:
		*f = format(s)
		return nil
	}
	return fmt.Errorf("must be %s or %s", formatTable, formatJSON)
}

// choice is a flag whose value is one of a few words.
type choice[T ~string] struct {
	value *T
	words []T
}

func (c choice[T]) String() string {
	if c.value == nil {
		return ""
	}
	return string(*c.value)
}

func (c choice[T]) Type() string { return "WORD" }

// Set implements pflag.Value.
func (c choice[T]) Set(s string) error {
	if s != "" && !slices.Contains(c.words, T(s)) {
		return fmt.Errorf("must be one of %s", joined(c.words))
	}
	*c.value = T(s)
	return nil
}

// choose gives cmd a flag that takes one of words, and completes it.
func choose[T ~string](cmd *cobra.Command, value *T, name, usage string, words []T) {
	cmd.Flags().Var(choice[T]{value, words}, name, usage+": "+joined(words))
	var list []string
	for _, w := range words {
		list = append(list, string(w))
	}
	complete(cmd, name, list...)
}

func joined[T ~string](words []T) string {
	var list []string
	for _, w := range words {
		list = append(list, string(w))
	}
	return strings.Join(list, ", ")
}

// labels is a flag that collects KEY=VALUE.
type labels map[string]string

func (l labels) String() string { return pairs(l) }
func (l labels) Type() string   { return "KEY=VALUE" }

// Set implements pflag.Value. It takes several pairs, separated by commas.
func (l labels) Set(s string) error {
	for pair := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return fmt.Errorf("must be KEY=VALUE")
		}
		l[key] = value
	}
	return nil
}

// complete makes the shell offer words as values of a flag that cmd has.
func complete(cmd *cobra.Command, flag string, words ...string) {
	completeBy(cmd, flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// completeBy makes the shell offer what f returns.
func completeBy(cmd *cobra.Command, flag string, f completer) {
	// The only error is a flag that does not exist, or one registered twice.
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err)
	}
}
