package cluster

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	autopilot "github.com/hashicorp/raft-autopilot"
)

const (
	autopilotUpdate    = time.Second
	autopilotReconcile = 2 * time.Second
	admitTimeout       = 5 * time.Second
)

// membership manages the Raft configuration on the leader. It adds the masters
// that gossip has found as non-voters; autopilot promotes them once they are
// stable, and removes dead ones.
type membership struct {
	node  *Node
	log   hclog.Logger
	pilot *autopilot.Autopilot
	leads chan bool // latest value

	judged atomic.Uint64 // states of autopilot so far
}

func newMembership(n *Node, log hclog.Logger) *membership {
	m := &membership{node: n, log: log, leads: make(chan bool, 1)}
	m.pilot = autopilot.New(n.raft, m,
		autopilot.WithLogger(log),
		autopilot.WithPromoter(promoter{autopilot.DefaultPromoter(), n.formation.expected, m.barred}),
		autopilot.WithUpdateInterval(autopilotUpdate),
		autopilot.WithReconcileInterval(autopilotReconcile))
	return m
}

// setLeads sets whether this master leads. It never blocks.
func (m *membership) setLeads(leads bool) {
	select {
	case <-m.leads:
	default:
	}
	m.leads <- leads
}

// run manages the configuration while this master leads.
func (m *membership) run(ctx context.Context) {
	defer func() { <-m.pilot.Stop() }()
	tick := time.NewTicker(gossipTick)
	defer tick.Stop()
	leading := false
	for {
		select {
		case <-ctx.Done():
			return
		case leads := <-m.leads:
			if leads {
				m.pilot.Start(ctx)
			} else {
				<-m.pilot.Stop()
			}
			leading = leads
		case <-tick.C:
			if leading {
				m.admit(ctx, m.node.gossip.alive())
			}
		}
	}
}

// admit adds the masters in view that are not members yet.
func (m *membership) admit(ctx context.Context, alive []gossipMember) {
	members := make(map[string]string) // names by id
	for _, s := range m.node.servers() {
		members[string(s.ID)] = string(s.Address)
	}
	held := m.node.formation.current()
	asked := bootstrapVote{
		ClusterID: held.ClusterID, Proposer: m.node.id.ID, Expect: m.node.formation.expected(), Formed: true,
	}
	for _, g := range alive {
		if name, ok := members[g.ID]; ok {
			m.rename(ctx, g, name)
			m.silence(ctx, g)
			continue
		}
		if m.node.isRemoved(g.ID) {
			if !g.Removed {
				m.node.dismiss(ctx, g.ID)
			}
			continue
		}
		if g.Formed && g.Cluster != held.ClusterID || g.Removed {
			continue
		}
		if _, err := m.node.formation.ask(ctx, g.ID, &asked); err != nil {
			m.log.Debug("cannot admit master", "id", g.ID, "error", err)
			continue
		}
		name, err := m.add(ctx, g.ID)
		if err != nil {
			m.log.Warn("cannot admit master", "id", g.ID, "name", g.Name, "error", err)
			continue
		}
		m.log.Info("master admitted as non-voter", "id", g.ID, "name", name, "address", g.Peer)
	}
}

// add makes a master a non-voter under the name that it claims, in place of the identities
// that it had before it lost its log: they never return.
func (m *membership) add(ctx context.Context, id string) (name string, err error) {
	s, err := m.node.statusOf(ctx, id)
	if err != nil {
		return "", err
	}
	for _, old := range m.node.servers() {
		if slices.Contains(s.Former, string(old.ID)) {
			if err := m.removeFormer(ctx, old, id); err != nil {
				return "", err
			}
		}
	}
	return m.name(ctx, s.Claim)
}

func (m *membership) removeFormer(ctx context.Context, old raft.Server, successor string) error {
	if err := m.remove(ctx, old.ID); err != nil {
		return err
	}
	m.log.Warn("former identity of a master removed: its log is lost",
		"id", old.ID, "name", old.Address, "successor", successor)
	return nil
}

func (m *membership) remove(ctx context.Context, id raft.ServerID) error {
	err := m.node.await(ctx, func() error { return m.node.raft.RemoveServer(id, 0, admitTimeout).Error() })
	if err == nil {
		m.node.book.remove(string(id))
	}
	return err
}

// rename gives a member the name that it asks for since it has restarted. Gossip says that
// there is something to do, and the member itself what.
func (m *membership) rename(ctx context.Context, g gossipMember, name string) {
	if kept, _ := g.claim().choose(m.node.servers()); kept == name || g.Name == "" {
		return
	}
	s, err := m.node.statusOf(ctx, g.ID)
	if err == nil {
		_, err = m.name(ctx, s.Claim)
	}
	if err != nil {
		m.log.Warn("cannot rename master", "id", g.ID, "name", name, "to", g.Name, "error", err)
	}
}

// silence takes the vote of a member that was restarted with --nonvoter, unless that is
// unsafe. The leader gives up leadership first.
func (m *membership) silence(ctx context.Context, g gossipMember) {
	if !g.Nonvoter || !slices.Contains(m.node.voters(), g.ID) {
		return
	}
	if s, err := m.node.statusOf(ctx, g.ID); err != nil || !s.Nonvoter {
		return
	}
	plan, err := m.node.Plan(Demote, g.ID)
	switch {
	case err != nil:
	case plan.unsafe:
		err = errors.New(strings.Join(plan.Risks, "; "))
	case plan.Leads:
		err = m.node.TransferLeadership(ctx, "")
	default:
		err = m.node.Carry(ctx, plan)
	}
	if err != nil {
		m.log.Warn("a master was started with --nonvoter and keeps its vote",
			"id", g.ID, "name", plan.Name, "error", err)
	}
}

// name gives a master its name, and tells it when it cannot have the only one that it takes.
func (m *membership) name(ctx context.Context, claim nameClaim) (string, error) {
	name, err := m.node.giveName(ctx, claim)
	var taken *NameTakenError
	if errors.As(err, &taken) {
		err = errors.Join(err, m.node.sendNameTaken(ctx, claim.ID, taken))
	}
	return name, err
}

// NotifyState implements autopilot.ApplicationIntegration.
func (m *membership) NotifyState(*autopilot.State) { m.judged.Add(1) }

// FetchServerStats implements autopilot.ApplicationIntegration.
func (m *membership) FetchServerStats(
	ctx context.Context, servers map[raft.ServerID]*autopilot.Server,
) map[raft.ServerID]*autopilot.ServerStats {
	var ids []string
	for id, s := range servers {
		if s.NodeStatus == autopilot.NodeAlive {
			ids = append(ids, string(id))
		}
	}
	statuses := m.node.statuses(ctx, ids)
	stats := make(map[raft.ServerID]*autopilot.ServerStats)
	for _, id := range ids {
		s := statuses[id]
		contact := s.LastContact
		if !s.Contacted { // or not answered: autopilot would use the last answer
			contact = -1 // never
		}
		stats[raft.ServerID(id)] = &autopilot.ServerStats{
			LastContact: contact, LastTerm: s.LastTerm, LastIndex: s.LastIndex,
		}
	}
	return stats
}

// KnownServers implements autopilot.ApplicationIntegration. A member that gossip
// does not see is reported as failed: as unknown it would count as stale, which
// autopilot removes less carefully.
func (m *membership) KnownServers() map[raft.ServerID]*autopilot.Server {
	servers := make(map[raft.ServerID]*autopilot.Server)
	for _, s := range m.node.servers() {
		servers[s.ID] = &autopilot.Server{
			ID: s.ID, Name: string(s.Address), Address: s.Address, NodeStatus: autopilot.NodeFailed,
			RaftVersion: int(raft.ProtocolVersionMax), NodeType: autopilot.NodeVoter,
			IsLeader: string(s.ID) == m.node.id.ID && m.node.IsLeader(),
		}
	}
	for _, g := range m.node.gossip.alive() {
		if s := servers[raft.ServerID(g.ID)]; s != nil {
			s.NodeStatus, s.Version = autopilot.NodeAlive, g.Version
		}
	}
	return servers
}

// barred reports whether a member was demoted, or said in its newest answer that it was
// started with --nonvoter. Autopilot promotes only members that have answered.
func (m *membership) barred(id raft.ServerID) bool {
	return m.node.setting(NonvoterKey(string(id))) != "" || m.node.states.last(string(id)).Nonvoter
}

// RemoveFailedServer implements autopilot.ApplicationIntegration. It must not
// block.
func (m *membership) RemoveFailedServer(s *autopilot.Server) {
	m.node.spawn(func(ctx context.Context) {
		if err := m.remove(ctx, s.ID); err != nil {
			m.log.Warn("cannot remove dead master", "id", s.ID, "name", s.Name, "error", err)
			return
		}
		m.log.Info("dead master removed", "id", s.ID, "name", s.Name)
	})
}
