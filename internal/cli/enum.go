package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// Format is the form in which results are printed.
type Format string

// The formats.
const (
	FormatTable Format = "table"
	FormatJSON  Format = "json"
)

// Formats are all formats.
var Formats = []Format{FormatTable, FormatJSON}

// enum is a flag whose value is one of a few words. It implements pflag.Value.
type enum[T ~string] struct {
	value *T
	words []T
}

func (e enum[T]) String() string {
	if e.value == nil {
		return ""
	}
	return string(*e.value)
}

func (e enum[T]) Type() string { return "string" }

func (e enum[T]) Set(s string) error {
	if s != "" && !slices.Contains(e.words, T(s)) {
		return fmt.Errorf("must be one of %s", Join(e.words))
	}
	*e.value = T(s)
	return nil
}

// EnumVar gives cmd a flag that takes one of words, and completes it.
func EnumVar[T ~string](cmd *cobra.Command, value *T, name, usage string, words []T) {
	cmd.Flags().Var(enum[T]{value, words}, name, usage+" ("+Join(words)+")")
	Complete(cmd, name, words...)
}

// enumSet is a flag whose value is several of a few words, separated by commas. It implements pflag.Value.
type enumSet[S, T ~string] struct {
	value *S
	words []T
}

func (e enumSet[S, T]) String() string {
	if e.value == nil {
		return ""
	}
	return string(*e.value)
}

func (e enumSet[S, T]) Type() string { return "string" }

func (e enumSet[S, T]) Set(s string) error {
	if s != "" {
		for word := range strings.SplitSeq(s, ",") {
			if !slices.Contains(e.words, T(word)) {
				return fmt.Errorf("must be one or more of %s", Join(e.words))
			}
		}
	}
	*e.value = S(s)
	return nil
}

// EnumSetVar gives cmd a flag that takes some of words, separated by commas, and completes it.
func EnumSetVar[S, T ~string](cmd *cobra.Command, value *S, name, usage string, words []T) {
	cmd.Flags().Var(enumSet[S, T]{value, words}, name, usage+", several separated by commas ("+Join(words)+")")
	Complete(cmd, name, words...)
}

// Join returns words separated by commas.
func Join[T ~string](words []T) string { return strings.Join(texts(words), ", ") }

func texts[T ~string](words []T) []string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = string(w)
	}
	return list
}

// Labels is a flag that collects KEY=VALUE. It implements pflag.Value.
type Labels map[string]string

func (l Labels) String() string { return Pairs(l) }

// Type implements pflag.Value.
func (l Labels) Type() string { return "key=value" }

// Set implements pflag.Value. It takes several pairs, separated by commas.
func (l Labels) Set(s string) error {
	for pair := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return errors.New("must be KEY=VALUE")
		}
		l[key] = value
	}
	return nil
}

// Completer offers words for what is being typed.
type Completer = func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective)

// Complete makes the shell offer words as values of a flag that cmd has.
func Complete[T ~string](cmd *cobra.Command, flag string, words ...T) {
	CompleteBy(cmd, flag, cobra.FixedCompletions(texts(words), cobra.ShellCompDirectiveNoFileComp))
}

// CompleteBy makes the shell offer what f returns.
func CompleteBy(cmd *cobra.Command, flag string, f Completer) {
	// The only error is a flag that does not exist, or one registered twice.
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err)
	}
}
