//go:build chaos

package e2e

import (
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// faults injects faults for a given time: into one master after the other and, independently,
// into each agent, so that faults overlap.
type faults struct {
	s     *site
	seed  uint64
	began time.Time
	long  time.Duration
}

// make returns when the time is up and every process runs again.
func (f *faults) make() {
	var all sync.WaitGroup
	all.Go(func() { f.repeat(0, f.master) })
	for i, a := range f.s.Agents() {
		all.Go(func() { f.repeat(uint64(i+1), func(draw *rand.Rand) { f.agent(draw, a) }) })
	}
	all.Wait()
}

func (f *faults) repeat(stream uint64, fault func(*rand.Rand)) {
	draw := rand.New(rand.NewPCG(f.seed, stream))
	for time.Since(f.began) < f.long && !f.s.t.Failed() {
		fault(draw)
		f.pass(draw, 3*time.Second)
	}
}

// pass waits a random time. It does not wait for an event: the time makes the faults differ.
func (f *faults) pass(draw *rand.Rand, limit time.Duration) {
	timer := time.NewTimer(time.Duration(draw.Int64N(int64(limit))))
	<-timer.C
}

func (f *faults) master(draw *rand.Rand) {
	m := f.s.Master(draw.IntN(3))
	kind, ofLeader := draw.IntN(6), draw.IntN(3) > 0
	if ofLeader {
		i, err := f.s.Leader(f.s.soon())
		if f.check(err); err != nil {
			return
		}
		m = f.s.Master(i)
	}
	ill := []*devcluster.Master{m}
	switch kind {
	case 0, 1:
		f.say("kill -9", m.Name())
		m.Kill()
	case 2:
		f.say("SIGTERM", m.Name())
		f.check(m.Stop(f.s.soon()))
	case 3:
		ill = f.s.Masters()
		f.say("kill -9", "all masters")
		for _, m := range ill {
			m.Kill()
		}
	default:
		f.freeze(draw, &m.Process)
		return
	}
	f.pass(draw, 4*time.Second)
	for _, m := range ill {
		f.check(m.Start())
	}
	for _, m := range ill {
		f.check(m.WaitReady(f.s.soon()))
	}
}

func (f *faults) agent(draw *rand.Rand, a *devcluster.Agent) {
	switch draw.IntN(5) {
	case 0:
		f.say("kill -9", a.Name())
		a.Kill()
	case 1:
		f.say("power loss", a.Name())
		f.s.killMachine(a)
	case 2:
		f.say("SIGTERM", a.Name())
		f.check(a.Stop(f.s.soon()))
	default:
		f.freeze(draw, &a.Process)
		return
	}
	f.pass(draw, 4*time.Second)
	f.check(a.Start())
}

func (f *faults) freeze(draw *rand.Rand, p *devcluster.Process) {
	f.say("SIGSTOP", p.Name())
	f.check(p.Signal(syscall.SIGSTOP))
	f.pass(draw, 6*time.Second)
	f.check(p.Signal(syscall.SIGCONT))
}

func (f *faults) say(what, whom string) {
	f.s.t.Logf("%6.1fs  %s %s", time.Since(f.began).Seconds(), what, whom)
}

func (f *faults) check(err error) {
	f.s.t.Helper()
	if err != nil {
		f.s.t.Error(err)
	}
}
