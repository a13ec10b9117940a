package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
)

func (c *command) clusterRemove() *cobra.Command {
	cmd := c.memberVerb("remove", (*client.Client).RemoveMember, map[string]string{
		"removed":   "%s is no longer a member. Stop it; to add it again, start it with an empty data directory.",
		"unchanged": "%s was removed before.",
	})
	cmd.Short = "Remove a master for good"
	cmd.Long = `Remove a master, dead or alive. A leader transfers leadership first. The master is not admitted
again; started with an empty data directory it joins as a new member.

A change that would lose the quorum, leave fewer voters than --bootstrap-expect, or leave one
voter, is refused with the reason. --force overrides that.

  ffrtmp cluster remove m3`
	return cmd
}

func (c *command) clusterPromote() *cobra.Command {
	cmd := c.memberVerb("promote", (*client.Client).PromoteMember, map[string]string{
		"promoted":  "%s is a voter.",
		"unchanged": "%s is a voter already.",
	})
	cmd.Short = "Give a master a vote"
	cmd.Long = `Give a master a vote at once, and let it keep it. A new master gets one by itself when it has
caught up; one that was started with --nonvoter must be restarted without.`
	return cmd
}

func (c *command) clusterDemote() *cobra.Command {
	cmd := c.memberVerb("demote", (*client.Client).DemoteMember, map[string]string{
		"demoted":   "%s is a non-voter until it is promoted.",
		"unchanged": "%s has no vote, and gets none until it is promoted.",
	})
	cmd.Short = "Take a master's vote; it keeps its copy and serves reads"
	cmd.Long = "Take a master's vote, until ffrtmp cluster promote gives it back. A leader transfers leadership first."
	return cmd
}

type memberCall func(cl *client.Client, ctx context.Context, member string, force bool, opts ...client.Option,
) (ffrtmp.MemberChange, error)

// memberVerb returns a command that changes a master; said are its texts by the status of the answer.
func (c *command) memberVerb(verb string, call memberCall, said map[string]string) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:               verb + " MEMBER",
		Args:              exactly("MEMBER"),
		ValidArgsFunction: atFirst(c.memberWords()),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
				done, err := call(cl, ctx, memberID(ctx, cl, args[0]), force)
				if err != nil {
					return fmt.Errorf("%s master %s: %w", verb, args[0], err)
				}
				parts := []cli.HumanWriter{cli.Line(fmt.Sprintf(said[done.Status], args[0]))}
				return c.print(done, append(parts, warningLines(done.Warnings)...)...)
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "carry out a change that is refused because of its risks")
	return cmd
}

func warningLines(warnings []string) (lines []cli.HumanWriter) {
	for _, w := range warnings {
		lines = append(lines, cli.Line("Warning: "+w))
	}
	return lines
}

// memberID returns the id of the master with a name: a repeated removal still finds it. The masters decide about any
// other word.
func memberID(ctx context.Context, cl *client.Client, ref string) string {
	s, err := cl.Cluster(ctx)
	if err != nil {
		return ref
	}
	for _, m := range s.Members {
		if m.Name == ref {
			return m.ID
		}
	}
	return ref
}

// memberWords offers the names of masters.
func (c *command) memberWords() cli.Completer {
	return c.offer(func(ctx context.Context, cl *client.Client) (words []cobra.Completion, err error) {
		s, err := cl.Cluster(ctx)
		for _, m := range s.Members {
			words = append(words, cobra.CompletionWithDesc(memberName(m), string(m.State)))
		}
		return words, err
	})
}
