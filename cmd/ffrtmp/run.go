package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
	"github.com/ffrtmp/ffrtmp/internal/tracing"
	"github.com/ffrtmp/ffrtmp/internal/version"
)

// command is one invocation: its streams, its environment and its settings.
type command struct {
	in         io.Reader
	out, err   io.Writer
	env        map[string]string
	settings   cli.Settings
	reading    reading
	patience   time.Duration // how long a request is repeated
	surveyTime time.Duration // bounds cluster status without --timeout
	tracer     *tracing.Tracer
	span       tracing.Span // of the whole command
}

// defaultPatience is longer than an election, which takes a second or two, and short enough for a person at a prompt.
const defaultPatience = 10 * time.Second

// Run executes one command line and returns the exit code: 0 done, 1 refused or failed, 2 usage, 3 outcome unknown.
// env has the form of os.Environ. When ctx ends, Run stops what it has started and returns.
func Run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer, env []string) int {
	return newCommand(in, out, errOut, env).run(ctx, args)
}

func newCommand(in io.Reader, out, errOut io.Writer, env []string) *command {
	c := &command{
		in: in, out: out, err: errOut, env: map[string]string{},
		patience: defaultPatience, surveyTime: defaultSurveyTime,
	}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		c.env[name] = value
	}
	return c
}

func (c *command) run(ctx context.Context, args []string) int {
	root := c.root() //nolint:contextcheck // cobra passes ctx to the commands
	// cobra takes nil for "use os.Args".
	root.SetArgs(append([]string{}, args...))
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	code := c.report(root.ExecuteContext(ctx))
	c.endTrace(code) //nolint:contextcheck // traces are sent although ctx has ended
	return code
}

func (c *command) root() *cobra.Command {
	root := group("ffrtmp", "Run FFmpeg jobs on a highly available cluster", c.jobs(), c.nodes(), c.cluster(),
		c.gossip(), c.keys(), c.audit(), c.ui(), c.certs(), c.snapshot(), c.importCommand(), c.recoverCommand(),
		c.debug(), c.dev(), c.bench(), c.completion(), c.version())
	root.AddCommand(legacy()...)
	root.Long = `Submit FFmpeg jobs to a cluster of masters, watch them, and operate the cluster.

A flag overrides the environment (FFRTMP_<FLAG>, also MASTER_URL and MASTER_API_KEY),
which overrides the configuration file. Prefer --api-key-file or MASTER_API_KEY to
--api-key, which is visible in process listings.

With --output json, the result is one document on standard output and an error one on
standard error.

Exit codes: 0 done, 1 refused or failed, 2 usage, 3 outcome unknown.`
	root.Version = version.Version
	root.SetVersionTemplate(version.Line("ffrtmp") + "\n")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(help())
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.Name() == cobra.ShellCompRequestCmd || cmd.Name() == cobra.ShellCompNoDescRequestCmd {
			return nil // the completed command is not known yet
		}
		if err := c.settings.Resolve(cmd, c.env); err != nil {
			return err
		}
		return c.beginTrace(cmd)
	}
	c.settings.Register(root)
	wrapped := fmt.Sprintf("FlagUsagesWrapped %d", c.terminal(c.out).Width())
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), "FlagUsages", wrapped))
	return root
}

// help is cobra's command of this name, except that an unknown word is an error.
func help() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show the help of a command",
		// It needs no settings: a wrong one must not stop it.
		PersistentPreRunE: func(*cobra.Command, []string) error { return nil },
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = found.ValidateArgs(rest)
			}
			if err != nil {
				return err
			}
			return found.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) (words []cobra.Completion,
			_ cobra.ShellCompDirective,
		) {
			if found, rest, err := cmd.Root().Find(args); err == nil && len(rest) == 0 {
				for _, sub := range found.Commands() {
					words = append(words, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// flagError explains a wrong flag of cmd. After an unknown subcommand it reports that instead: the flags may be right.
func flagError(cmd *cobra.Command, err error) error {
	if before := cmd.Flags().Args(); cmd.HasSubCommands() && len(before) > 0 {
		return cmd.Args(cmd, before)
	}
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return flags.Explain(cmd.Flags(), err)
	}
	name := invalid.GetFlag().Name
	message := fmt.Sprintf("--%s: %q is invalid: %v", name, invalid.GetValue(), errors.Unwrap(err))
	if name == "output" && cmd.Flags().Lookup("output-file") != nil {
		message += "; the job's file is --output-file"
	}
	return flags.Usagef("%s", message)
}

// group is a command that only has subcommands: alone it prints its help.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			message := fmt.Sprintf("unknown command %q for %s", args[0], cmd.CommandPath())
			if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
				return flags.Usagef("%s; did you mean %s?", message, s[0])
			}
			var names []string
			for _, sub := range cmd.Commands() {
				if sub.IsAvailableCommand() {
					names = append(names, sub.Name())
				}
			}
			return flags.Usagef("%s; use one of %s", message, strings.Join(names, ", "))
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SuggestionsMinimumDistance = 2
	cmd.AddCommand(commands...)
	return cmd
}

// exactly returns an Args function that requires one argument per name.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > len(names) {
			return flags.Usagef("unexpected argument %q: use %s", args[len(names)], cmd.UseLine())
		}
		if len(args) < len(names) {
			return flags.Usagef("%s is missing: use %s", names[len(args)], cmd.UseLine())
		}
		return nil
	}
}

// atMost returns an Args function that takes the argument or none.
func atMost(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return exactly(name)(cmd, args)
	}
}

// atLeast returns an Args function that requires one or more arguments.
func atLeast(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return flags.Usagef("%s is missing: use %s", name, cmd.UseLine())
		}
		return nil
	}
}

func (c *command) terminal(w io.Writer) cli.Terminal { return cli.NewTerminal(w, c.env) }

// print writes document as JSON, or parts as text, depending on --output.
func (c *command) print(document any, parts ...cli.HumanWriter) error {
	if c.settings.Format == cli.FormatJSON {
		return cli.WriteJSON(c.out, document)
	}
	return cli.WriteHuman(c.out, c.terminal(c.out), parts...)
}
