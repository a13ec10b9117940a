package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
)

func (c *command) completion() *cobra.Command {
	shell := func(name, use string, generate func(*cobra.Command, io.Writer) error) *cobra.Command {
		return &cobra.Command{
			Use:   name,
			Short: "Print the script for " + name + ": " + use,
			Args:  exactly(),
			RunE:  func(cmd *cobra.Command, _ []string) error { return generate(cmd.Root(), c.out) },
		}
	}
	cmd := group(
		"completion",
		"Print a shell completion script",
		shell("bash", "source <(ffrtmp completion bash)", func(root *cobra.Command, w io.Writer) error {
			return root.GenBashCompletionV2(w, true)
		}),
		shell("zsh", "ffrtmp completion zsh > \"${fpath[1]}/_ffrtmp\"", (*cobra.Command).GenZshCompletion),
		shell("fish", "ffrtmp completion fish | source", func(root *cobra.Command, w io.Writer) error {
			return root.GenFishCompletion(w, true)
		}),
		shell("powershell", "ffrtmp completion powershell | Out-String | Invoke-Expression",
			(*cobra.Command).GenPowerShellCompletionWithDesc),
	)
	cmd.Long = "Print a shell completion script. bash needs the package bash-completion."
	return cmd
}

// completionTime is how long a completion may take.
const completionTime = 3 * time.Second

// offer returns a completer that asks the masters, and offers nothing when they do not answer. It leaves out words that
// are on the command line already.
func (c *command) offer(list func(context.Context, *client.Client) ([]cobra.Completion, error)) cli.Completer {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		c.patience = completionTime
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
		defer cancel()
		if err := c.settings.Resolve(cmd, c.env); err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		cl, err := c.connect()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer cl.Close()
		words, err := list(ctx, cl)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		words = slices.DeleteFunc(words, func(w cobra.Completion) bool {
			word, _, _ := strings.Cut(w, "\t")
			return slices.Contains(args, word)
		})
		return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// offeredJobs bounds how many jobs are offered.
const offeredJobs = 100

// jobWords offers the numbers of jobs whose status matches, newest first.
func (c *command) jobWords(wanted func(ffrtmp.Status) bool) cli.Completer {
	return c.offer(func(ctx context.Context, cl *client.Client) (words []cobra.Completion, err error) {
		page, err := cl.Jobs(ctx, client.ListOptions{Limit: offeredJobs})
		for _, j := range page.Jobs {
			if wanted(j.Status) {
				words = append(
					words,
					cobra.CompletionWithDesc(strconv.FormatUint(j.SequenceNumber, 10),
						cli.Printable(fmt.Sprintf("%s, %s", j.Scenario, j.Status))),
				)
			}
		}
		return words, err
	})
}

// firstJob is jobWords for a command with one JOB.
func (c *command) firstJob() cli.Completer {
	return atFirst(c.jobWords(func(ffrtmp.Status) bool { return true }))
}

// nodeWords offers the names of nodes, and the ids of those whose name is ambiguous or needs quotes.
func (c *command) nodeWords() cli.Completer {
	return c.offer(func(ctx context.Context, cl *client.Client) (words []cobra.Completion, err error) {
		nodes, err := cl.Nodes(ctx)
		named := map[string]int{}
		for _, n := range nodes {
			named[n.Name]++
		}
		for _, n := range nodes {
			word := n.Name
			if named[word] > 1 || shellWord(word) != word || cli.Printable(word) != word {
				word = n.ID
			}
			description := cli.Printable(fmt.Sprintf("%s, %s", n.Name, n.Status))
			words = append(words, cobra.CompletionWithDesc(word, description))
		}
		return words, err
	})
}

// atFirst completes the first argument only.
func atFirst(f cli.Completer) cli.Completer {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f(cmd, args, typed)
	}
}
