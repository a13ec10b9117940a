package main

import (
	"io"

	"github.com/spf13/cobra"
)

func (c *cli) completion() *cobra.Command {
	shell := func(name, use string, generate func(*cobra.Command, io.Writer) error) *cobra.Command {
		return &cobra.Command{
			Use:   name,
			Short: "Completion for " + name + ": " + use,
			Args:  exactly(),
			RunE:  func(cmd *cobra.Command, _ []string) error { return generate(cmd.Root(), c.out) },
		}
	}
	cmd := group("completion", "Print a script that completes commands in a shell",
		shell("bash", "source <(ffrtmp completion bash)", func(root *cobra.Command, w io.Writer) error {
			return root.GenBashCompletionV2(w, true)
		}),
		shell("zsh", "ffrtmp completion zsh > \"${fpath[1]}/_ffrtmp\"", (*cobra.Command).GenZshCompletion),
		shell("fish", "ffrtmp completion fish | source", func(root *cobra.Command, w io.Writer) error {
			return root.GenFishCompletion(w, true)
		}),
		shell("powershell", "ffrtmp completion powershell | Out-String | Invoke-Expression", (*cobra.Command).GenPowerShellCompletionWithDesc))
	cmd.Long = "Print a script that completes commands in a shell. The one for bash needs the\npackage bash-completion."
	return cmd
}
