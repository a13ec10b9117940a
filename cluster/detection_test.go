package cluster

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// detectionTest drives a detection with a clock of its own.
type detectionTest struct {
	*detection
	t    *testing.T
	now  time.Time
	term uint64
}

func newDetectionTest(t *testing.T) *detectionTest {
	return &detectionTest{
		detection: newDetection(Local, hclog.NewNullLogger()), t: t, now: time.Unix(1e9, 0), term: 1,
	}
}

// beats receives heartbeats of the leader, each so much later than the one before.
func (d *detectionTest) beats(gaps ...time.Duration) {
	for _, gap := range gaps {
		d.pass(gap)
		d.received(d.now, "a", d.term)
	}
}

// pass lets time pass, as Node does.
func (d *detectionTest) pass(long time.Duration) {
	for ; long > time.Second; long -= time.Second {
		d.now = d.now.Add(time.Second)
		d.tick(d.now)
	}
	d.now = d.now.Add(long)
	d.tick(d.now)
}

// elects makes a leader of the next term; asked says that it was asked to stand.
func (d *detectionTest) elects(asked bool) {
	d.term++
	d.voteAsked(&raft.RequestVoteRequest{Term: d.term, LeadershipTransfer: asked})
	d.leads(d.now, d.term)
}

func (d *detectionTest) want(what string, factor int) {
	d.t.Helper()
	if got := d.factor(); got != factor {
		d.t.Errorf("%s: got timeouts %d times as long as configured, want %d", what, got, factor)
	}
}

const ms = time.Millisecond

// Late heartbeats make a follower wait longer, up to four times as long, and calm makes it wait as configured again.
func TestDetection_LateHeartbeats(t *testing.T) {
	d := newDetectionTest(t)
	d.beats(0, 100*ms, 200*ms, 240*ms, 100*ms)
	d.want("on time", 1)
	d.beats(300*ms, 600*ms)
	d.want("two late ones", 1)
	d.beats(600 * ms)
	d.want("three late ones", 2)
	if got := d.heartbeatTimeout(); got != time.Second {
		t.Errorf("got a timeout of %s, want 1 s", got)
	}
	for range 100 {
		d.beats(450 * ms) // on time for this timeout, late for a shorter one
	}
	d.want("as slow as before", 2)
	for range 100 {
		d.beats(900 * ms)
	}
	d.want("slower", 4)
	for range 30 {
		d.beats(100*ms, 900*ms)
	}
	d.want("nearly as slow as before", 4)
	for range 299 {
		d.beats(100 * ms)
	}
	d.want("calm for nearly 30 s", 4)
	d.beats(100*ms, 100*ms)
	d.want("calm for 30 s", 2)
	for range 301 {
		d.beats(100 * ms)
	}
	d.want("calm for a minute", 1)
}

// One cause is one late moment, a stopped process is not a slow one, and another leader's heartbeats are others.
func TestDetection_NotSlow(t *testing.T) {
	d := newDetectionTest(t)
	d.beats(0, 260*ms, 260*ms, 100*ms, 100*ms)
	d.want("late ones of one moment", 1)
	d.pass(time.Minute)
	for range 5 {
		d.beats(1100*ms, 100*ms)
	}
	d.want("stopped five times", 1)
	for range 5 {
		d.elects(true)
		d.beats(900 * ms)
	}
	d.want("first heartbeats of leaders", 1)
	for range 20 {
		d.beats(6*time.Second, 700*ms)
	}
	d.want("late now and then", 1)
}

// Leaders that are replaced after a timeout make all wait longer; those that stop or die do not.
func TestDetection_LeadersChange(t *testing.T) {
	d := newDetectionTest(t)
	d.elects(false)
	for range 9 {
		d.pass(time.Second)
		d.elects(true)
	}
	d.want("leaders stop or die", 1)
	for range 9 {
		d.pass(8 * time.Second)
		d.elects(false)
	}
	d.want("leaders are replaced now and then", 1)
	d.pass(time.Minute)
	for range 4 {
		d.pass(4 * time.Second)
		d.elects(false)
		d.leads(d.now, d.term) // known once more
	}
	d.want("four leaders are replaced within 30 s", 1)
	d.elects(false)
	d.want("five are", 2)
	d.beats(0, 600*ms)
	for range 2 {
		d.pass(4 * time.Second)
		d.elects(false)
	}
	d.want("two are while heartbeats are late", 4)
	d.term++
	d.leads(d.now, d.term)
	d.pass(61 * time.Second)
	d.want("calm, and a leader elected unseen", 1)
}

// A leader is patient when a majority confirms its heartbeats late.
func TestDetection_LateAnswers(t *testing.T) {
	d := newDetectionTest(t)
	confirm := func(age time.Duration) {
		d.pass(time.Second)
		d.confirmed(d.now, age)
	}
	for _, age := range []time.Duration{0, 100 * ms, 180 * ms, 190 * ms, 240 * ms} {
		confirm(age)
	}
	if got := d.patience(); got != 0 {
		t.Errorf("two late ones: got patience %s, want none", got)
	}
	confirm(200 * ms)
	if got, want := d.patience(), 750*ms; got != want {
		t.Errorf("three late ones: got patience %s, want %s", got, want)
	}
	for range 3 {
		confirm(400 * ms)
	}
	if got, want := d.patience(), 1750*ms; got != want {
		t.Errorf("later ones: got patience %s, want %s", got, want)
	}
}

// Followers wait as long as detection says; the leader sends heartbeats as often as ever.
func TestDetection_SetsTimeouts(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	lead := leader(t, masters...)
	for _, m := range masters {
		for range 2 {
			m.detection.mu.Lock()
			m.detection.slowLocked(time.Now(), "the test says so")
			m.detection.mu.Unlock()
		}
	}
	heartbeat := func(m *master) time.Duration { return m.raft.ReloadableConfig().HeartbeatTimeout }
	for _, m := range masters {
		want := 4 * steady.Heartbeat
		if m == lead {
			want = steady.Heartbeat
		}
		testkit.Eventually(t, "the timeout is adapted", func() bool { return heartbeat(m) == want })
	}
	if err := lead.TransferLeadership(testkit.Context(t), ""); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the old leader waits longer", func() bool { return heartbeat(lead) == 4*steady.Heartbeat })
	next := leader(t, masters...)
	testkit.Eventually(t, "the new one does not", func() bool { return heartbeat(next) == steady.Heartbeat })
	write(t, "written by a patient leader", masters...)
}
