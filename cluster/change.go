package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/raft"
)

// Change is a change of a member's part in the cluster that an operator asks for.
type Change string

// The changes of a member.
const (
	Remove  Change = "remove"
	Promote Change = "promote"
	Demote  Change = "demote"
)

// Settings of Config.Settings. Whoever changes a member by an operator's wish sets them first.
const autopilotKey = "autopilot"

// RemovedKey names the setting that keeps a removed master from being admitted again.
func RemovedKey(id string) string { return "removed/" + id }

// NonvoterKey names the setting that keeps a member from being promoted.
func NonvoterKey(id string) string { return "nonvoter/" + id }

// NoMemberError says that no member has an id or name.
type NoMemberError struct {
	Ref   string
	Names []string // of the members
}

func (e *NoMemberError) Error() string {
	return fmt.Sprintf("no member has the id or name %q; members are %s", e.Ref, strings.Join(e.Names, ", "))
}

// ErrImpossible is wrapped by the error of a change that no force can carry out.
var ErrImpossible = errors.New("impossible")

func impossible(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrImpossible, fmt.Sprintf(format, args...))
}

// Plan is what a change would do.
type Plan struct {
	Change   Change
	ID, Name string
	Leads    bool     // the member is this leader: it must transfer leadership first
	Nothing  bool     // the member is so already
	Risks    []string // why the change needs force
	Warnings []string

	unsafe bool // without a quorum, or any voter to spare
}

// Plan examines a change. It asks the members for their status. Errors are a *NoMemberError,
// or wrap ErrImpossible.
func (n *Node) Plan(change Change, ref string) (Plan, error) {
	members := n.Members()
	m, err := findMember(members, ref)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Change: change, ID: m.ID, Name: m.Name, Leads: m.ID == n.id.ID}
	p.Nothing = change == Promote && m.Voter || change == Demote && !m.Voter
	if change == Promote && n.states.last(m.ID).Nonvoter {
		return p, impossible("%s was started with --nonvoter: restart it without", m.Name)
	}
	if p.Nothing || change == Remove && !m.Voter {
		return p, nil
	}
	v := countVotes(members, m.ID, change == Promote)
	if v.voters == 0 {
		return p, impossible("%s is the only voter", m.Name)
	}
	if change == Promote && !m.Healthy {
		p.Risks = append(p.Risks, fmt.Sprintf("%s does not answer or has not caught up", m.Name))
	}
	p.Risks = append(p.Risks, v.risks(change, n.formation.expected())...)
	p.Warnings, p.unsafe = evenVoters(v.voters), v.healthy < v.quorum() || v.voters == 1
	return p, nil
}

// findMember returns the member with an id or, if there is none, a name.
func findMember(members []Member, ref string) (Member, error) {
	var byName *Member
	names := make([]string, len(members))
	for i, m := range members {
		if m.ID == ref {
			return m, nil
		}
		if m.Name == ref {
			byName = &members[i]
		}
		names[i] = m.Name
	}
	if byName == nil {
		return Member{}, &NoMemberError{Ref: ref, Names: names}
	}
	return *byName, nil
}

// votes are the voters after a change.
type votes struct{ voters, healthy int }

// countVotes counts them when the member with the id has a vote, or has none.
func countVotes(members []Member, id string, vote bool) (v votes) {
	for _, m := range members {
		if m.ID == id && vote || m.ID != id && m.Voter {
			v.voters++
			if m.Healthy {
				v.healthy++
			}
		}
	}
	return v
}

func (v votes) quorum() int { return v.voters/2 + 1 }

func (v votes) risks(change Change, expected int) (list []string) {
	if quorum := v.quorum(); v.healthy < quorum {
		list = append(list, fmt.Sprintf(
			"the cluster would lose its quorum: %d of %d voters would be healthy, %d are needed",
			v.healthy, v.voters, quorum))
	}
	switch {
	case change == Promote:
	case v.voters < expected:
		list = append(list, fmt.Sprintf("%d voters would remain, fewer than the %d of --bootstrap-expect",
			v.voters, expected))
	case v.voters == 1:
		list = append(list,
			"one voter would remain: its failure stops the cluster, and the loss of its disk loses everything")
	}
	return list
}

// evenVoters warns of a number of voters that tolerates no more failures than one less.
func evenVoters(voters int) []string {
	if voters == 0 || voters%2 == 1 {
		return nil
	}
	return []string{fmt.Sprintf("%d voters tolerate no more failures than %d: use an odd number", voters, voters-1)}
}

// Warnings returns what is wrong with the membership, although the cluster works.
func (n *Node) Warnings() []string {
	warnings := evenVoters(len(n.voters()))
	if level, known := n.CommandLevel(), n.knownLevel(); level < known {
		warnings = append(warnings, fmt.Sprintf("commands are held at level %d (command_level of autopilot), although "+
			"every master knows level %d", level, known))
	}
	return warnings
}

// Carry carries out a planned change. Only the leader can, and not with itself.
func (n *Node) Carry(ctx context.Context, p Plan) error {
	id, name := raft.ServerID(p.ID), raft.ServerAddress(p.Name)
	log := n.log.Named("membership")
	err := n.await(ctx, func() error {
		switch p.Change {
		case Remove:
			return n.raft.RemoveServer(id, 0, admitTimeout).Error()
		case Promote:
			return n.raft.AddVoter(id, name, 0, admitTimeout).Error()
		case Demote:
			return n.raft.DemoteVoter(id, 0, admitTimeout).Error()
		}
		return fmt.Errorf("unknown change %q", p.Change)
	})
	if err != nil {
		return fmt.Errorf("%s %s: %w", p.Change, p.Name, err)
	}
	log.Info("member changed", "change", p.Change, "id", p.ID, "name", p.Name, "voters", len(n.voters()))
	for _, warning := range n.Warnings() {
		log.Warn("membership", "warning", warning)
	}
	if p.Change == Remove {
		n.dismiss(ctx, p.ID)
		n.book.remove(p.ID)
	}
	return nil
}

// setting returns a replicated setting of the cluster, "" when it is not set.
func (n *Node) setting(key string) string {
	if n.cfg.Settings == nil {
		return ""
	}
	return n.cfg.Settings(key)
}
