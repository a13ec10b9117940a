package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/version"
)

func (c *command) clusterUpgradeCheck() *cobra.Command {
	to := version.Version
	cmd := c.reading.register(&cobra.Command{
		Use:   "upgrade-check",
		Short: "Report whether a master may be restarted now, and which is next",
		Long: `Report whether the cluster works on while one master is restarted, and which master to
upgrade next: those without a vote first, the leader last. Repeat it before each restart:

  until ffrtmp cluster upgrade-check; do sleep 1; done

The exit code is 0 if the next master may be restarted now, or if none is left.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.reading.timeout <= 0 {
				c.reading.timeout = c.surveyTime
			}
			return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
				return c.checkUpgrade(ctx, cl, to)
			})
		},
	})
	cmd.Flags().StringVar(&to, "to", to, "version to which the masters are upgraded, or downgraded")
	return cmd
}

// upgradeReport is the next step of an upgrade.
type upgradeReport struct {
	To        string          `json:"to"`
	Safe      bool            `json:"safe"`              // one master may be restarted now
	Next      string          `json:"next,omitempty"`    // its name; "": all masters run To
	Reasons   []string        `json:"reasons,omitempty"` // why not
	Remaining int             `json:"remaining"`         // masters of another version
	Members   []ffrtmp.Member `json:"members"`
}

func (c *command) checkUpgrade(ctx context.Context, cl *client.Client, to string) error {
	survey, err := c.survey(ctx, cl)
	if err != nil {
		return fmt.Errorf("check upgrade: %w", err)
	}
	r := planUpgrade(survey, to)
	last := fmt.Sprintf("Every master runs %s.", to)
	switch {
	case r.Next != "" && r.Safe:
		last = fmt.Sprintf("Restart %s with %s now; %d of %d masters are left.", r.Next, to, r.Remaining,
			len(r.Members))
	case r.Next != "":
		last = fmt.Sprintf("Next is %s, but not now: %s.", r.Next, strings.Join(r.Reasons, "; "))
	}
	if err := c.print(r, memberTable(r.Members), cli.Line(last)); err != nil {
		return err
	}
	if r.Next != "" && !r.Safe {
		return errors.New("check upgrade: no master may be restarted now")
	}
	return nil
}

// planUpgrade decides which master is next, and whether the others carry the cluster meanwhile.
func planUpgrade(survey clusterReport, to string) upgradeReport {
	r := upgradeReport{To: to, Members: survey.Members}
	remaining := slices.DeleteFunc(slices.Clone(survey.Members), func(m ffrtmp.Member) bool { return m.Version == to })
	if r.Remaining = len(remaining); r.Remaining > 0 {
		rank := func(m ffrtmp.Member) int {
			return slices.Index([]ffrtmp.MemberState{
				ffrtmp.MemberDead, ffrtmp.MemberNonvoter, ffrtmp.MemberFollower, ffrtmp.MemberLeader,
			}, m.State)
		}
		next := slices.MinFunc(remaining, func(a, b ffrtmp.Member) int { return rank(a) - rank(b) })
		r.Next = memberName(next)
	}
	if !survey.Quorum {
		r.Reasons = append(r.Reasons, "the cluster has no quorum")
	}
	for _, m := range survey.Members {
		switch {
		case m.State == ffrtmp.MemberDead:
			r.Reasons = append(r.Reasons, memberName(m)+" is dead: start or remove it")
		case !m.Healthy:
			r.Reasons = append(r.Reasons, memberName(m)+" has not caught up yet")
		}
	}
	if voters, _ := countVoters(survey.Members); survey.Quorum && voters < 3 {
		r.Reasons = append(r.Reasons, fmt.Sprintf("with %s nobody accepts writes during a restart",
			cli.Count(voters, "voter")))
	}
	r.Safe = len(r.Reasons) == 0
	return r
}
