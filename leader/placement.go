package leader

import (
	"time"

	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
)

// placementInterval is how often the leader looks for drains and cordons whose time has come.
const placementInterval = time.Second

// endPlacements ends them until the term ends.
func (t *term) endPlacements() {
	for ctxtime.Sleep(t.ctx, placementInterval) == nil {
		due := t.cfg.State.NodesDue(time.Now())
		if len(due) == 0 {
			continue
		}
		_, ended, err := t.cfg.Proposer.EndPlacements(t.ctx, due)
		if err != nil {
			if t.ctx.Err() == nil {
				t.cfg.Logger.Warn("cannot end drains and cordons that are due; retrying", "nodes", due, "error", err)
			}
			continue
		}
		t.cfg.Logger.Info("drains and cordons ended", "nodes", due, "requeued", len(ended.Attempts))
		t.reconcileAll()
		t.signalWork()
	}
}
