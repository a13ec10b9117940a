package leader

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
)

// Replicas are the masters of the cluster, each with a state of its own.
type Replicas interface {
	// Count returns how many there are.
	Count() int
	// Sums returns the sum of each at the index of a check.
	Sums(ctx context.Context, index uint64) []Replica
	// TakeOut takes the state of one out of service; it then copies the leader's. A leader first hands over.
	TakeOut(ctx context.Context, id, reason string) error
}

// Replica is one master's answer to a check of the states.
type Replica struct {
	ID, Name string
	Sum      *store.StateSum // nil: it did not answer
}

const (
	// firstCheck is how long after the beginning of a term the states are compared first, at most.
	firstCheck = 10 * time.Second
	// checkLimit bounds one check.
	checkLimit = 30 * time.Second
)

// Outcomes of a check.
const (
	checkEqual     = "equal"
	checkDiffers   = "differs"   // a majority has equal states, and others have not
	checkUndecided = "undecided" // they differ, and no majority is equal
	checkMissing   = "missing"   // nothing to compare: fewer than two masters answered
	checkVersions  = "versions"  // nothing to compare: different schemas
)

// StateChecks is what the checks of the masters' states have found.
type StateChecks struct {
	outcomes *prometheus.CounterVec
	differ   prometheus.Gauge
	warning  atomic.Pointer[string]
}

// NewStateChecks registers the metrics of the checks; r may be nil.
func NewStateChecks(r prometheus.Registerer) *StateChecks {
	c := &StateChecks{
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ffmpeg_master_state_checks_total",
			Help: "Comparisons of the masters' states by this leader, by outcome.",
		}, []string{"outcome"}),
		differ: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ffmpeg_master_state_differs",
			Help: "Masters whose states differed in this leader's last check.",
		}),
	}
	for _, outcome := range []string{checkEqual, checkDiffers, checkUndecided, checkMissing, checkVersions} {
		c.outcomes.WithLabelValues(outcome)
	}
	if r != nil {
		r.MustRegister(c.outcomes, c.differ)
	}
	return c
}

// Warning says that states differ, "" when they do not.
func (c *StateChecks) Warning() string {
	if w := c.warning.Load(); w != nil {
		return *w
	}
	return ""
}

func (c *StateChecks) clear() {
	c.warning.Store(nil)
	c.differ.Set(0)
}

// verdict is what a check has found.
type verdict struct {
	outcome string
	odd     []Replica // those that differ from the majority, or all when there is none
	message string
}

// judge compares the sums. The odd ones are known only if a majority of all masters agrees.
func judge(all []Replica) verdict {
	var answered []Replica
	for _, r := range all {
		if r.Sum != nil {
			answered = append(answered, r)
		}
	}
	if len(answered) < 2 {
		return verdict{outcome: checkMissing}
	}
	for _, r := range answered {
		if r.Sum.Schema != answered[0].Sum.Schema {
			return verdict{outcome: checkVersions}
		}
	}
	largest := slices.MaxFunc(answered, func(a, b Replica) int {
		return len(equalTo(answered, a)) - len(equalTo(answered, b))
	})
	equal := equalTo(answered, largest)
	if len(equal) == len(answered) {
		return verdict{outcome: checkEqual}
	}
	odd := slices.DeleteFunc(slices.Clone(answered), func(r Replica) bool { return slices.Contains(equal, r.ID) })
	where := fmt.Sprintf("at entry %d in %s", largest.Sum.Index, strings.Join(tablesOf(largest, odd), ", "))
	if len(equal) > len(all)/2 {
		return verdict{checkDiffers, odd, fmt.Sprintf("the state of %s differs from that of %d of %d masters, %s",
			names(odd), len(equal), len(all), where)}
	}
	return verdict{checkUndecided, answered, fmt.Sprintf("the states of %s differ %s, and no majority is equal: "+
		"nothing is repaired", names(answered), where)}
}

// equalTo returns the ids of those whose sums are like one's.
func equalTo(all []Replica, one Replica) (ids []string) {
	for _, r := range all {
		if maps.Equal(r.Sum.Tables, one.Sum.Tables) {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

func tablesOf(one Replica, odd []Replica) (tables []string) {
	for _, r := range odd {
		tables = append(tables, one.Sum.Differing(r.Sum)...)
	}
	slices.Sort(tables)
	return slices.Compact(tables)
}

func names(list []Replica) string {
	var all []string
	for _, r := range list {
		all = append(all, r.Name)
	}
	return strings.Join(all, ", ")
}

// compareStates compares the masters' states at an interval, until the term ends.
func (t *term) compareStates() {
	if t.cfg.Replicas == nil {
		return
	}
	defer t.cfg.Checks.clear() // the next leader compares
	wait := min(t.cfg.CheckInterval, firstCheck)
	for ctxtime.Sleep(t.ctx, wait) == nil {
		wait = t.cfg.CheckInterval
		if t.cfg.Replicas.Count() < 2 {
			continue
		}
		if err := t.checkStates(); err != nil && t.ctx.Err() == nil && ffrtmp.CodeOf(err) != ffrtmp.Conflict {
			t.cfg.Logger.Warn("cannot compare the masters' states; retrying", "error", err)
		}
	}
}

// checkStates compares the states once, and again if they differ: only what differs twice is acted on.
func (t *term) checkStates() error {
	ctx, cancel := context.WithTimeout(t.ctx, checkLimit)
	defer cancel()
	from := t.cfg.State.NextCheck()
	v, err := t.checkOnce(ctx, from)
	if err == nil && len(v.odd) > 0 {
		first := v
		v, err = t.checkOnce(ctx, from)
		v.odd = slices.DeleteFunc(v.odd, func(r Replica) bool {
			return !slices.ContainsFunc(first.odd, func(o Replica) bool { return o.ID == r.ID })
		})
		if v.outcome != first.outcome {
			v.odd = nil
		}
	}
	if err != nil {
		return err
	}
	t.cfg.Checks.outcomes.WithLabelValues(v.outcome).Inc()
	t.cfg.Checks.differ.Set(float64(len(v.odd)))
	before := t.cfg.Checks.Warning()
	if len(v.odd) == 0 {
		t.cfg.Checks.clear()
		return nil
	}
	t.cfg.Checks.warning.Store(&v.message)
	if v.outcome == checkUndecided {
		if before != "" {
			return nil
		}
		return t.announce(ctx, names(v.odd), v.message)
	}
	return t.takeOut(ctx, v)
}

func (t *term) checkOnce(ctx context.Context, from store.Cursors) (verdict, error) {
	index, err := t.cfg.Proposer.Check(ctx, from)
	if err != nil {
		return verdict{}, err
	}
	return judge(t.cfg.Replicas.Sums(ctx, index)), nil
}

// takeOut announces the masters that differ and takes them out of service. A leader among them soon leads no
// more.
func (t *term) takeOut(ctx context.Context, v verdict) error {
	for _, r := range v.odd {
		if err := t.announce(ctx, r.Name, v.message); err != nil {
			return err
		}
	}
	for _, r := range v.odd {
		if err := t.cfg.Replicas.TakeOut(ctx, r.ID, v.message); err != nil {
			return fmt.Errorf("take %s out of service: %w", r.Name, err)
		}
	}
	return nil
}

// announce logs and publishes what is wrong with a master.
func (t *term) announce(ctx context.Context, name, message string) error {
	t.cfg.Logger.Error("the masters' states differ", "master", name, "reason", message)
	if err := t.cfg.Proposer.Report(ctx, ffrtmp.StateDiffers, name, message); err != nil {
		return fmt.Errorf("publish an event: %w", err)
	}
	return nil
}
