package leader

import (
	"context"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// reportsPerSecond is how many heartbeats a second all nodes together should send.
const reportsPerSecond = 500

// HeartbeatTiming is how often a node must send heartbeats.
type HeartbeatTiming struct {
	LeaseTTL time.Duration
	Report   time.Duration // how often to report
}

// Heartbeat renews the attempts that the node lists, and returns commands for it. A nil
// heartbeat, and any heartbeat of a v2.2 node, renews all attempts of the node. With a wait, it
// returns when there is a new command, or after the wait or a third of the lease time.
func (s *Service) Heartbeat(ctx context.Context, nodeID string,
	h *ffrtmp.Heartbeat,
) ([]ffrtmp.Command, HeartbeatTiming, error) {
	t, n, err := s.contact(nodeID)
	if err != nil {
		return nil, HeartbeatTiming{}, err
	}
	timing := t.timing(n)
	if h == nil || t.isLegacy(n) {
		if err := t.renewAll(n); err != nil {
			return nil, timing, err
		}
	}
	if h == nil {
		return nil, timing, nil
	}
	if err := t.report(n, h.Attempts); err != nil {
		return nil, timing, err
	}
	timer := time.NewTimer(min(time.Duration(h.Wait), timing.LeaseTTL/3))
	defer timer.Stop()
	for {
		commands, changed, err := t.commands(ctx, n, h.Attempts)
		if err != nil {
			return nil, timing, err
		}
		if h.Wait <= 0 || t.hasNew(n, commands) {
			t.recordSent(n, h.Attempts, commands)
			return commands, timing, nil
		}
		select {
		case <-changed:
		case <-timer.C:
			t.recordSent(n, h.Attempts, commands)
			return commands, timing, nil
		case <-ctx.Done():
			return nil, timing, nil
		case <-t.ctx.Done():
			return nil, timing, nil
		}
	}
}

func (t *term) timing(n *node) HeartbeatTiming {
	t.mu.Lock()
	defer t.mu.Unlock()
	ttl := n.ttl(t.cfg.LeaseTTL)
	report := time.Duration(len(t.nodes)) * time.Second / reportsPerSecond
	return HeartbeatTiming{LeaseTTL: ttl, Report: min(max(report, time.Second), ttl/3)}
}

func (t *term) isLegacy(n *node) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return n.legacy
}
