package main

import (
	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp/internal/flags"
)

// legacy are v2.2's commands that have no equivalent. They are hidden, take any arguments, and name the replacement.
func legacy() []*cobra.Command {
	return []*cobra.Command{
		replaced("run", `the masters run jobs: use "ffrtmp jobs submit --param resource_limits=JSON"; `+
			`for another command "systemd-run --scope -p CPUQuota=200% -p MemoryMax=2G COMMAND"`),
		replaced("attach", `limits hold from a job's start: use "ffrtmp jobs submit --param resource_limits=JSON"; `+
			`for a running service "systemctl set-property UNIT CPUQuota=200% MemoryMax=2G"`),
		replaced("watch", `to follow a job use "ffrtmp jobs watch JOB"; `+
			`to limit other processes use systemd (CPUQuota=, MemoryMax= of their unit)`),
		replaced("config", `an agent detects its machine; use "agent --max-concurrent-jobs N" `+
			`for more than one job at a time`),
	}
}

// replaced is a command of v2.2 that always fails with a usage error.
func replaced(name, instead string) *cobra.Command {
	return &cobra.Command{
		Use:                name,
		Hidden:             true,
		DisableFlagParsing: true,
		PersistentPreRunE:  func(*cobra.Command, []string) error { return nil }, // settings do not matter
		RunE: func(*cobra.Command, []string) error {
			return flags.Usagef("%s is a command of v2.2: %s", name, instead)
		},
	}
}
