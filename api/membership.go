package api

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/cluster"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// transferred is the answer to POST /cluster/leader/transfer.
type transferred struct {
	Status   string `json:"status"`
	Previous string `json:"previous"`
}

// leadership is the body of that request, which may be empty.
type leadership struct{ ffrtmp.Leadership }

func (*leadership) optional() {}

// transferLeader transfers leadership to another voter. The audit record is written first:
// afterwards this master can no longer write one.
func (s *Server) transferLeader(c *call, in *leadership) (*answer, error) {
	voters := 0
	for _, m := range s.cfg.Cluster.Members() {
		if m.Voter {
			voters++
		}
	}
	if voters < 2 {
		return nil, ffrtmp.Errorf(ffrtmp.Conflict, "no other voter can lead")
	}
	target := s.cfg.Cluster.ID()
	if in.Member != "" {
		target = in.Member
	}
	index, err := s.cfg.Proposer.Note(c.Context(), "leader.transfer", target)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Cluster.TransferLeadership(c.Context(), in.Member); err != nil {
		return nil, membershipError("transfer leadership", err)
	}
	return &answer{index: index, body: transferred{"transferred", s.cfg.Cluster.ID()}}, nil
}

// membershipError gives an error of package cluster its code.
func membershipError(operation string, err error) error {
	var unknown *cluster.NoMemberError
	switch {
	case errors.As(err, &unknown):
		return ffrtmp.Errorf(ffrtmp.NotFound, "%w", err)
	case errors.Is(err, raft.ErrNotLeader):
		return ffrtmp.Errorf(ffrtmp.NoLeader, "%s: this master no longer leads", operation)
	case errors.Is(err, cluster.ErrImpossible):
		return ffrtmp.Errorf(ffrtmp.Conflict, "%s: %s", operation,
			strings.TrimPrefix(err.Error(), cluster.ErrImpossible.Error()+": "))
	}
	return ffrtmp.Errorf(ffrtmp.Conflict, "%s: %w", operation, err)
}

// changed is the past of a change.
var changed = map[cluster.Change]string{
	cluster.Remove: "removed", cluster.Promote: "promoted", cluster.Demote: "demoted",
}

// changeMember returns the endpoint of a change of a member. One with risks needs force.
func (s *Server) changeMember(change cluster.Change) func(*call, *nothing) (*answer, error) {
	return func(c *call, _ *nothing) (*answer, error) {
		force, err := queryBool(c.URL.Query(), "force")
		if err != nil {
			return nil, err
		}
		id := c.PathValue("id")
		plan, err := s.cfg.Cluster.Plan(change, id)
		if ffrtmp.CodeOf(membershipError("", err)) == ffrtmp.NotFound && change == cluster.Remove &&
			s.cfg.State.Setting(cluster.RemovedKey(id)) != "" {
			return &answer{body: ffrtmp.MemberChange{Status: "unchanged", MemberID: id}}, nil
		}
		if err != nil {
			return nil, membershipError(string(change), err)
		}
		if len(plan.Risks) > 0 && !force {
			return nil, ffrtmp.Errorf(ffrtmp.Conflict, "cannot %s %s: %s (--force, or ?force=true, overrides this)",
				change, plan.Name, strings.Join(plan.Risks, "; "))
		}
		return s.carryOut(c, plan, force)
	}
}

// carryOut records what the operator wants, so that no leader undoes it, and then does it.
func (s *Server) carryOut(c *call, plan cluster.Plan, force bool) (*answer, error) {
	body := ffrtmp.MemberChange{
		Status: changed[plan.Change], MemberID: plan.ID, Name: plan.Name, Warnings: plan.Warnings,
	}
	if plan.Leads && plan.Change != cluster.Promote {
		if err := s.cfg.Cluster.TransferLeadership(c.Context(), ""); err != nil {
			return nil, membershipError("transfer leadership", err)
		}
		// The next leader does it.
		return nil, ffrtmp.Errorf(ffrtmp.NoLeader, "leadership is being transferred away from %s", plan.Name)
	}
	index, err := s.cfg.Proposer.Set(c.Context(), settingOf(plan, force))
	if err != nil {
		return nil, err
	}
	if plan.Nothing {
		body.Status = "unchanged"
		return &answer{index: index, body: body}, nil
	}
	if err := s.cfg.Cluster.Carry(c.Context(), plan); err != nil {
		return nil, membershipError(string(plan.Change), err)
	}
	return &answer{index: index, body: body}, nil
}

// settingOf is what stays of a change.
func settingOf(plan cluster.Plan, force bool) fsm.Setting {
	set := fsm.Setting{
		Action: "member." + string(plan.Change), Target: plan.ID, Detail: "name=" + plan.Name,
		Key: cluster.NonvoterKey(plan.ID), Value: time.Now().UTC().Format(time.RFC3339),
	}
	if force {
		set.Detail += " force=" + strconv.FormatBool(force)
	}
	switch plan.Change {
	case cluster.Remove:
		set.Key = cluster.RemovedKey(plan.ID)
	case cluster.Promote:
		set.Value = ""
	}
	return set
}

func autopilotOf(a cluster.Autopilot) ffrtmp.Autopilot {
	return ffrtmp.Autopilot{
		CleanupDeadServers:      a.CleanupDeadServers,
		ServerStabilizationTime: ffrtmp.Duration(a.ServerStabilizationTime),
		LastContactThreshold:    ffrtmp.Duration(a.LastContactThreshold),
		MinQuorum:               a.MinQuorum,
		CommandLevel:            a.CommandLevel,
	}
}

func (s *Server) getAutopilot(*call) (*answer, error) {
	return &answer{body: autopilotOf(s.cfg.Cluster.Autopilot())}, nil
}

// setAutopilot changes the settings that the request names.
func (s *Server) setAutopilot(c *call, change *ffrtmp.AutopilotChange) (*answer, error) {
	next := autopilotOf(s.cfg.Cluster.Autopilot())
	change.Apply(&next)
	set := cluster.Autopilot{
		CleanupDeadServers:      next.CleanupDeadServers,
		ServerStabilizationTime: time.Duration(next.ServerStabilizationTime),
		LastContactThreshold:    time.Duration(next.LastContactThreshold),
		MinQuorum:               next.MinQuorum,
		CommandLevel:            next.CommandLevel,
	}
	key, value, err := set.Setting()
	if err != nil {
		return nil, err
	}
	index, err := s.cfg.Proposer.Set(c.Context(),
		fsm.Setting{Action: "autopilot.set", Detail: value, Key: key, Value: value})
	if err != nil {
		return nil, err
	}
	return &answer{index: index, body: next}, nil
}
