package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
)

func (c *cli) cluster() *cobra.Command {
	return group("cluster", "Look at the masters, and move leadership",
		c.clusterStatus(), c.clusterMembers(), c.clusterTransfer())
}

func (c *cli) clusterStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show leader, progress and members",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := c.clusterNow(cmd)
			if err != nil {
				return err
			}
			f := &fields{}
			f.add("Cluster", s.Name)
			f.add("ID", s.ClusterID)
			f.add("Leader", leaderText(s))
			f.add("Term", s.Term)
			f.add("Committed", s.CommitIndex)
			f.add("Applied", s.AppliedIndex)
			f.add("Health", health(s.Members))
			return c.print(s, f, memberTable(s.Members))
		},
	}
}

func (c *cli) clusterNow(cmd *cobra.Command) (ffrtmp.ClusterStatus, error) {
	cl, err := c.connect()
	if err != nil {
		return ffrtmp.ClusterStatus{}, err
	}
	defer cl.Close()
	s, err := cl.Cluster(cmd.Context())
	if ffrtmp.CodeOf(err) == ffrtmp.NoLeader && cmd.Context().Err() == nil {
		// Without a leader it matters most, and any master knows something.
		if own, fault := cl.Cluster(cmd.Context(), client.Stale(0)); fault == nil {
			return own, nil
		}
	}
	if err != nil {
		return s, fmt.Errorf("cluster status: %w", err)
	}
	return s, nil
}

func leaderText(s ffrtmp.ClusterStatus) cell {
	if s.Leader == "" {
		return cell{"none", red}
	}
	return cell{s.Leader + " " + s.LeaderURL, ""}
}

// health says how many masters may still fail before the cluster stops taking writes.
func health(members []ffrtmp.Member) cell {
	voters, healthy := 0, 0
	for _, m := range members {
		if m.Voter {
			voters++
			if m.Healthy {
				healthy++
			}
		}
	}
	spare := healthy - (voters/2 + 1)
	text := fmt.Sprintf("%d of %d voters healthy", healthy, voters)
	switch {
	case spare < 0:
		return cell{text + ", no quorum", red}
	case spare == 0 && voters > 1:
		return cell{text + ", none may fail", yellow}
	case spare > 0:
		return cell{text + fmt.Sprintf(", %d may fail", spare), green}
	}
	return cell{text, green}
}

func (c *cli) clusterMembers() *cobra.Command {
	return &cobra.Command{
		Use:   "members",
		Short: "List the masters",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := c.clusterNow(cmd)
			if err != nil {
				return err
			}
			list := struct {
				Members []ffrtmp.Member `json:"members"`
				Count   int             `json:"count"`
			}{s.Members, len(s.Members)}
			return c.print(list, memberTable(s.Members))
		},
	}
}

func memberTable(members []ffrtmp.Member) *table {
	t := newTable("ID~", "ROLE", "VOTER", "HEALTHY", "CONTACT<", "APPLIED<", "ADDRESS?", "API", "VERSION~?")
	for _, m := range members {
		t.add(m.ID, memberRole(m.Role), yesNo(m.Voter, ""), yesNo(m.Healthy, red), contact(m), m.AppliedIndex, m.Address, m.APIURL, m.Version)
	}
	return t
}

func memberRole(role string) cell {
	if role == "leader" {
		return cell{role, green}
	}
	return cell{role, ""}
}

func yesNo(yes bool, no colour) cell {
	if yes {
		return cell{"yes", ""}
	}
	return cell{"no", no}
}

// contact is how long ago a member heard from the leader.
func contact(m ffrtmp.Member) string {
	switch {
	case m.Role == "leader":
		return ""
	case m.LastContactMS < 0:
		return "" // it did not say
	case m.LastContactMS < 10_000:
		return fmt.Sprintf("%dms", m.LastContactMS)
	}
	return span(time.Duration(m.LastContactMS) * time.Millisecond)
}

func (c *cli) clusterTransfer() *cobra.Command {
	return &cobra.Command{
		Use:   "transfer-leader",
		Short: "Have the leader hand leadership over to another master",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			before, err := cl.Cluster(cmd.Context())
			if err != nil {
				return fmt.Errorf("transfer leadership: %w", err)
			}
			if err := cl.TransferLeader(cmd.Context()); err != nil {
				return fmt.Errorf("transfer leadership: %w", err)
			}
			after, err := cl.Cluster(cmd.Context(), client.Consistent())
			if err != nil {
				return fmt.Errorf("leadership was handed over, but the new leader does not answer: %w", err)
			}
			return c.print(map[string]string{"from": before.Leader, "to": after.Leader, "leader_url": after.LeaderURL},
				line(fmt.Sprintf("Leadership went from %s to %s (%s).", before.Leader, after.Leader, after.LeaderURL)))
		},
	}
}
