package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

func (c *command) clusterAutopilot() *cobra.Command {
	get := c.reading.register(&cobra.Command{
		Use:   "get",
		Short: "Show the settings",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
				a, err := cl.Autopilot(ctx, c.reading.options()...)
				if err != nil {
					return fmt.Errorf("show autopilot: %w", err)
				}
				return c.print(a, autopilotFields(a))
			})
		},
	})
	set := &cobra.Command{
		Use:   "set KEY=VALUE...",
		Short: "Change settings",
		Long: `Change settings of the whole cluster. Keys and their values:

  cleanup_dead_servers       true or false: remove dead masters that were replaced
  server_stabilization_time  0s to 24h: how long a new master must be healthy before it votes
  last_contact_threshold     100ms to 1h: how long ago a healthy master last heard from the leader
  min_quorum                 1 to 99: voters that a cleanup leaves at least
  command_level              commands above it are not written, so that masters can be downgraded; 0: no limit

  ffrtmp cluster autopilot set cleanup_dead_servers=false server_stabilization_time=10s`,
		Args: cobra.ArbitraryArgs,

		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string,
		) ([]cobra.Completion, cobra.ShellCompDirective) {
			return autopilotWords(args), cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := autopilotChange(args)
			if err != nil {
				return err
			}
			return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
				a, err := cl.SetAutopilot(ctx, change)
				if err != nil {
					return fmt.Errorf("set autopilot: %w", err)
				}
				return c.print(a, autopilotFields(a))
			})
		},
	}
	return group("autopilot", "Show or change how the leader manages the masters by itself", get, set)
}

// autopilotKeys parse a value into a change.
var autopilotKeys = map[string]func(change *ffrtmp.AutopilotChange, value string) error{
	"cleanup_dead_servers": func(c *ffrtmp.AutopilotChange, value string) (err error) {
		c.CleanupDeadServers, err = parsed(value, strconv.ParseBool, "true or false")
		return err
	},
	"server_stabilization_time": func(c *ffrtmp.AutopilotChange, value string) (err error) {
		c.ServerStabilizationTime, err = parsed(value, parseDuration, "a duration such as 10s")
		return err
	},
	"last_contact_threshold": func(c *ffrtmp.AutopilotChange, value string) (err error) {
		c.LastContactThreshold, err = parsed(value, parseDuration, "a duration such as 500ms")
		return err
	},
	"min_quorum": func(c *ffrtmp.AutopilotChange, value string) (err error) {
		c.MinQuorum, err = parsed(value, strconv.Atoi, "a number")
		return err
	},
	"command_level": func(c *ffrtmp.AutopilotChange, value string) (err error) {
		c.CommandLevel, err = parsed(value, strconv.Atoi, "a number")
		return err
	},
}

func parseDuration(value string) (ffrtmp.Duration, error) {
	d, err := time.ParseDuration(value)
	return ffrtmp.Duration(d), err
}

func parsed[T any](value string, parse func(string) (T, error), form string) (*T, error) {
	v, err := parse(value)
	if err != nil {
		return nil, fmt.Errorf("must be %s, not %q", form, value)
	}
	return &v, nil
}

// autopilotChange parses KEY=VALUE words.
func autopilotChange(words []string) (change ffrtmp.AutopilotChange, err error) {
	keys := strings.Join(autopilotNames(), ", ")
	if len(words) == 0 {
		return change, flags.Usagef("KEY=VALUE is missing; the keys are %s", keys)
	}
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		set, known := autopilotKeys[key]
		if !ok || !known {
			return change, flags.Usagef("%q must be KEY=VALUE, with a key of %s", word, keys)
		}
		if err := set(&change, value); err != nil {
			return change, flags.Usagef("%s %v", key, err)
		}
	}
	return change, nil
}

func autopilotNames() []string {
	return []string{
		"cleanup_dead_servers", "server_stabilization_time", "last_contact_threshold", "min_quorum", "command_level",
	}
}

// autopilotWords are the keys that are not on the command line yet.
func autopilotWords(args []string) (words []cobra.Completion) {
	for _, name := range autopilotNames() {
		if !slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, name+"=") }) {
			words = append(words, name+"=")
		}
	}
	return words
}

func autopilotFields(a ffrtmp.Autopilot) *cli.Fields {
	f := &cli.Fields{}
	f.Add("cleanup_dead_servers", a.CleanupDeadServers)
	f.Add("server_stabilization_time", time.Duration(a.ServerStabilizationTime))
	f.Add("last_contact_threshold", time.Duration(a.LastContactThreshold))
	f.Add("min_quorum", a.MinQuorum)
	f.Add("command_level", a.CommandLevel)
	return f
}
