package master

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/cluster"
	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
	"github.com/ffrtmp/ffrtmp/leader"
)

func (c Config) checkInterval() error {
	if c.StateCheckInterval < time.Second {
		return configErrorf("StateCheckInterval must be at least 1s, not %s", c.StateCheckInterval)
	}
	return nil
}

// replicas compares the states of the masters for the leader.
type replicas struct{ node *cluster.Node }

// Count implements leader.Replicas.
func (r replicas) Count() int { return len(r.node.APIURLs()) }

// Sums implements leader.Replicas.
func (r replicas) Sums(ctx context.Context, index uint64) []leader.Replica {
	var all []leader.Replica
	for _, m := range r.node.Sums(ctx, index) {
		one := leader.Replica{ID: m.ID, Name: m.Name}
		if sum := (&store.StateSum{}); m.Sum != nil && json.Unmarshal(m.Sum, sum) == nil && sum.Index == index {
			one.Sum = sum
		}
		all = append(all, one)
	}
	return all
}

// TakeOut implements leader.Replicas.
func (r replicas) TakeOut(ctx context.Context, id, reason string) error {
	return r.node.TakeOut(ctx, id, reason)
}

// rebuildRetry is the wait between two attempts to rebuild the state.
const rebuildRetry = 2 * time.Second

// handedOver is how long a former leader waits for the next one.
const handedOver = 200 * time.Millisecond

// rebuilds rebuilds this master's state after it was taken out of service.
type rebuilds struct {
	due   chan struct{} // has one token when it was
	count *prometheus.CounterVec
}

func newRebuilds(r prometheus.Registerer) rebuilds {
	count := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ffmpeg_master_state_rebuilds_total",
		Help: "Rebuilds of this master's state, because it differed from the others', by outcome.",
	}, []string{"outcome"})
	count.WithLabelValues("done")
	count.WithLabelValues("failed")
	r.MustRegister(count)
	return rebuilds{make(chan struct{}, 1), count}
}

// replica is how other masters compare and copy this one's state.
func (m *Master) replica() cluster.Replica {
	return cluster.Replica{
		Sum: func(ctx context.Context, index uint64) ([]byte, error) {
			sum, err := m.state.StateSum(ctx, index)
			if err != nil {
				return nil, err
			}
			return json.Marshal(sum)
		},
		Write:   m.state.WriteState,
		TakeOut: m.takeOut,
		Rebuilt: func(ctx context.Context, name string) error {
			return m.proposer.Report(ctx, ffrtmp.StateRebuilt, name, "its state is again that of the others")
		},
	}
}

// takeOut takes the state out of service and has it rebuilt.
func (m *Master) takeOut(reason string) {
	if m.state.Out() != nil {
		return
	}
	m.logger.Error("this master's state differs from the others': it is out of service until it is rebuilt",
		"reason", reason)
	if err := m.state.TakeOut(fmt.Errorf("out of service until its state is rebuilt: %s", reason)); err != nil {
		m.logger.Warn("cannot record that the state is not trusted", "error", err)
	}
	select {
	case m.rebuilds.due <- struct{}{}:
	default:
	}
}

// runRebuilds rebuilds the state whenever that is due, until ctx ends.
func (m *Master) runRebuilds(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.rebuilds.due:
		}
		for m.state.Out() != nil && ctx.Err() == nil {
			if err := m.rebuild(ctx); err != nil && ctx.Err() == nil {
				m.rebuilds.count.WithLabelValues("failed").Inc()
				m.logger.Warn("cannot rebuild the state; retrying", "error", err)
				if ctxtime.Sleep(ctx, rebuildRetry) != nil {
					return
				}
			}
		}
	}
}

// rebuild copies the leader's state. A leader hands over first.
func (m *Master) rebuild(ctx context.Context) error {
	if m.node.IsLeader() {
		if err := m.node.TransferLeadership(ctx, ""); err != nil {
			return err
		}
		return ctxtime.Sleep(ctx, handedOver)
	}
	aside, err := m.node.MakeAside()
	if err != nil {
		return err
	}
	if err := m.state.Rebuild(ctx, aside, func(ctx context.Context, index uint64) (io.ReadCloser, error) {
		return m.node.LeaderState(ctx, index)
	}); err != nil {
		return errors.Join(err, m.node.DropAside(aside))
	}
	m.rebuilds.count.WithLabelValues("done").Inc()
	m.logger.Info("the state was rebuilt from the leader's and is in service again", "aside", aside)
	if err := m.node.RenewSnapshots(ctx, aside); err != nil {
		m.logger.Warn("older snapshots may still have what was wrong", "error", err)
	}
	m.reportRebuilt(ctx)
	return nil
}

// reportRebuilt tells the readers of events, if need be after an election.
func (m *Master) reportRebuilt(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := m.node.ReportRebuilt(ctx)
		if err == nil {
			return
		}
		if ctxtime.Sleep(ctx, rebuildRetry) != nil {
			m.logger.Warn("cannot publish an event", "type", ffrtmp.StateRebuilt, "error", err)
			return
		}
	}
}
