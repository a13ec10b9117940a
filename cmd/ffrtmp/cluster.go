package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
)

func (c *command) cluster() *cobra.Command {
	return group("cluster", "Show, add and remove masters, and transfer leadership",
		c.clusterStatus(), c.clusterMembers(), c.clusterTransfer(),
		c.clusterRemove(), c.clusterPromote(), c.clusterDemote(), c.clusterAutopilot(),
		c.clusterUpgradeCheck())
}

func (c *command) clusterNow(ctx context.Context, cl *client.Client) (ffrtmp.ClusterStatus, error) {
	s, err := cl.Cluster(ctx, c.reading.options()...)
	if ffrtmp.CodeOf(err) == ffrtmp.NoLeader && ctx.Err() == nil {
		// Without a leader any master's own view is better than none.
		if own, fault := cl.Cluster(ctx, client.Stale(0)); fault == nil {
			return own, nil
		}
	}
	if err != nil {
		return s, fmt.Errorf("show cluster: %w", err)
	}
	return s, nil
}

// spare is how many healthy voters there are beyond a majority.
func spare(members []ffrtmp.Member) int {
	voters, healthy := countVoters(members)
	return healthy - (voters/2 + 1)
}

func countVoters(members []ffrtmp.Member) (voters, healthy int) {
	for _, m := range members {
		if !m.Voter {
			continue
		}
		voters++
		if m.Healthy {
			healthy++
		}
	}
	return voters, healthy
}

// health is how many voters are healthy, and how many of them may fail before the cluster refuses writes.
func health(members []ffrtmp.Member) cli.Cell {
	voters, healthy := countVoters(members)
	text := fmt.Sprintf("%d of %d voters healthy", healthy, voters)
	switch spare := spare(members); {
	case spare == 0 && voters > 1:
		return cli.Coloured(text+", none may fail", cli.Yellow)
	case spare > 0:
		return cli.Coloured(text+fmt.Sprintf(", %d may fail", spare), cli.Green)
	}
	return cli.Coloured(text, cli.Green)
}

func (c *command) clusterMembers() *cobra.Command {
	return c.reading.register(&cobra.Command{
		Use:   "members",
		Short: "List the masters",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
				s, err := c.clusterNow(ctx, cl)
				if err != nil {
					return err
				}
				list := struct {
					Members []ffrtmp.Member `json:"members"`
					Count   int             `json:"count"`
				}{s.Members, len(s.Members)}
				return c.print(list, memberTable(s.Members))
			})
		},
	})
}

func memberTable(members []ffrtmp.Member) *cli.Table {
	t := cli.NewTable("NAME~", "STATE", "SINCE", "VOTER", "HEALTHY", "CONTACT<", "APPLIED<", "ADDRESS?", "API~?",
		"VERSION~?", "ID~")
	for _, m := range members {
		t.Add(memberName(m), memberState(m.State), since(m.Since), yesNo(m.Voter, ""), yesNo(m.Healthy, cli.Red),
			contact(m), m.AppliedIndex, m.Address, m.APIURL, m.Version, m.ID)
	}
	return t
}

// memberName is a master's name, or the id of one that has none yet.
func memberName(m ffrtmp.Member) string { return cmp.Or(m.Name, m.ID) }

func memberState(state ffrtmp.MemberState) cli.Cell {
	if state == ffrtmp.MemberDead {
		return cli.Coloured(string(state), cli.Red)
	}
	return memberRole(string(state))
}

// since is when a state began.
func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// named is the name of the master with an id.
func named(members []ffrtmp.Member, id string) string {
	for _, m := range members {
		if m.ID == id {
			return memberName(m)
		}
	}
	return id
}

func memberRole(role string) cli.Cell {
	if role == "leader" {
		return cli.Coloured(role, cli.Green)
	}
	return cli.Coloured(role, "")
}

func yesNo(yes bool, no cli.Colour) cli.Cell {
	if yes {
		return cli.Coloured("yes", "")
	}
	return cli.Coloured("no", no)
}

// contact is how long ago a member heard from the leader.
func contact(m ffrtmp.Member) string {
	switch {
	case m.Role == "leader":
		return ""
	case m.LastContactMS < 0:
		return "" // unknown
	case m.LastContactMS < 10_000:
		return fmt.Sprintf("%dms", m.LastContactMS)
	}
	return cli.Span(time.Duration(m.LastContactMS) * time.Millisecond)
}

func (c *command) clusterTransfer() *cobra.Command {
	return &cobra.Command{
		Use:   "transfer-leader [MEMBER]",
		Short: "Transfer leadership to a master, by default the most up-to-date one",
		Args:  atMost("MEMBER"),

		ValidArgsFunction: atFirst(c.memberWords()),
		RunE: func(cmd *cobra.Command, args []string) error {
			member := ""
			if len(args) > 0 {
				member = args[0]
			}
			return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
				before, err := cl.Cluster(ctx)
				if err == nil {
					err = cl.TransferLeader(ctx, member)
				}
				if err != nil {
					return fmt.Errorf("transfer leadership: %w", err)
				}
				after, err := cl.Cluster(ctx, client.Consistent())
				if err != nil {
					return fmt.Errorf("leadership was transferred, but the new leader does not answer: %w", err)
				}
				document := map[string]string{
					"from": before.Leader, "from_name": before.LeaderName,
					"to": after.Leader, "to_name": after.LeaderName, "leader_url": after.LeaderURL,
				}
				return c.print(document, cli.Line(fmt.Sprintf("Leadership transferred from %s to %s (%s).",
					cmp.Or(before.LeaderName, before.Leader), cmp.Or(after.LeaderName, after.Leader), after.LeaderURL)))
			})
		},
	}
}
