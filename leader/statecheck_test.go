package leader

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// sumsOf makes one answer for each letter: equal letters are equal states, - is none, and a capital one has another
// schema.
func sumsOf(letters string) (all []Replica) {
	for i, letter := range letters {
		r := Replica{ID: fmt.Sprint("id", i+1), Name: fmt.Sprint("m", i+1)}
		if letter != '-' {
			tables := map[string]string{"job_spec": string(letter), "node": "x"}
			r.Sum = &store.StateSum{Index: 7, Schema: 1, Tables: tables}
			if letter < 'a' {
				r.Sum.Schema = 2
			}
		}
		all = append(all, r)
	}
	return all
}

// The odd ones out are those that differ from a majority of all masters; without one nobody is.
func TestJudge(t *testing.T) {
	t.Parallel()
	for letters, want := range map[string]string{
		"aaa": "equal", "aa-": "equal", "aab": "differs m3", "baa": "differs m1", "a--": "missing", "---": "missing",
		"ab": "undecided m1, m2", "ab-": "undecided m1, m2", "abc": "undecided m1, m2, m3",
		"aabb": "undecided m1, m2, m3, m4",
		"aaab": "differs m4", "aaabb": "differs m4, m5", "aaabc": "differs m4, m5", "aab--": "undecided m1, m2, m3",
		"aaB": "versions", "aabbc": "undecided m1, m2, m3, m4, m5", "a": "missing", "": "missing",
	} {
		v := judge(sumsOf(letters))
		if got := strings.TrimSpace(v.outcome + " " + names(v.odd)); got != want {
			t.Errorf("%s: got %s, want %s", letters, got, want)
		}
		if len(v.odd) > 0 && !strings.Contains(v.message, "entry 7 in job_spec") {
			t.Errorf("%s: got %q, want the entry and the table", letters, v.message)
		}
	}
}

// fakeReplicas answers checks with the letters of a script, and its last ones afterwards.
type fakeReplicas struct {
	mu     sync.Mutex
	script []string
	asked  int
	out    []string
}

func (f *fakeReplicas) Count() int { return 3 }

func (f *fakeReplicas) Sums(context.Context, uint64) []Replica {
	f.mu.Lock()
	defer f.mu.Unlock()
	letters := f.script[min(f.asked, len(f.script)-1)]
	f.asked++
	return sumsOf(letters)
}

func (f *fakeReplicas) TakeOut(_ context.Context, id, _ string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.out = append(f.out, id)
	return nil
}

// compared is what the checks of a leader have done.
type compared struct {
	asked   int
	out     []string // ids of masters that were taken out of service
	events  []string
	warning string
	differ  float64
	found   float64 // checks that found one that differs
	logs    string
}

// compare runs the checks of a leader for some minutes.
func compare(t *testing.T, minutes int, script ...string) (c compared) {
	replicas := &fakeReplicas{script: script}
	inBubble(t, func(t *testing.T, b *bed) {
		b.lead(false)
		b.cfg.Replicas, b.cfg.CheckInterval, b.cfg.Checks = replicas, time.Minute, NewStateChecks(nil)
		b.lead(true)
		time.Sleep(time.Duration(minutes)*time.Minute + 30*time.Second)
		synctest.Wait()
		all, _, err := b.fsm.Events(t.Context(), ffrtmp.EventID{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			c.events = append(c.events, string(e.Type)+" "+e.Master)
		}
		checks := b.cfg.Checks
		c.warning, c.differ = checks.Warning(), testutil.ToFloat64(checks.differ)
		c.found = testutil.ToFloat64(checks.outcomes.WithLabelValues(checkDiffers))
		b.lead(false)
		if w, n := checks.Warning(), testutil.ToFloat64(checks.differ); w != "" || n != 0 {
			t.Errorf("got warning %q and %g that differ from a former leader, want none", w, n)
		}
		c.logs = b.logs.String()
	})
	c.asked, c.out = replicas.asked, replicas.out
	return c
}

// The states are compared every minute; equal ones change nothing.
func TestStateCheck_Equal(t *testing.T) {
	if c := compare(t, 5, "aaa"); c.asked != 6 || len(c.out) > 0 || len(c.events) > 0 || c.warning != "" {
		t.Errorf("got %+v, want 6 checks and nothing else", c)
	}
}

// What differs once only is left alone: a transient difference is no damage. So is another master each time.
func TestStateCheck_Once(t *testing.T) {
	for _, script := range [][]string{{"aab", "aaa"}, {"aab", "baa", "aaa"}, {"aab", "abc", "aaa"}} {
		c := compare(t, 3, script...)
		if len(c.out) > 0 || len(c.events) > 0 || c.warning != "" || c.differ != 0 {
			t.Errorf("%q: got %+v, want nothing done", script, c)
		}
	}
}

// A master that differs twice is taken out of service, with an event.
func TestStateCheck_Differs(t *testing.T) {
	c := compare(t, 3, "aab", "aab", "aa-", "aaa")
	if !slices.Equal(c.out, []string{"id3"}) || !slices.Equal(c.events, []string{"state.differs m3"}) ||
		c.warning != "" || c.found != 1 {
		t.Errorf("got %+v, want id3 out, one event of it, and no warning any more", c)
	}
	if !strings.Contains(c.logs, "the state of m3 differs from that of 2 of 3 masters") {
		t.Errorf("got log %s, want the reason", c.logs)
	}
}

// Without a majority nothing is taken out of service: one event says so, and a warning stays.
func TestStateCheck_Undecided(t *testing.T) {
	c := compare(t, 4, "ab-")
	if len(c.out) > 0 || !slices.Equal(c.events, []string{"state.differs m1, m2"}) || c.differ != 2 ||
		!strings.Contains(c.warning, "nothing is repaired") {
		t.Errorf("got %+v, want one event, a warning and nothing done", c)
	}
}
