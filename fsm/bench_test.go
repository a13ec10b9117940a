package fsm

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// benchOutputs numbers the outputs of benchSpec.
var benchOutputs atomic.Int64

// benchSpec is a job of about 600 bytes.
func benchSpec(t testing.TB) ffrtmp.Spec {
	return newSpec(t, func(s *ffrtmp.Spec) {
		s.Parameters = fmt.Appendf(nil,
			`{"input":"/media/%s.mov","output":"/media/out%d.mp4","bitrate":"10M","preset":"medium"}`,
			strings.Repeat("x", 300), benchOutputs.Add(1))
		s.Labels = map[string]string{"title": "a film", "customer": "somebody"}
	})
}

func benchSubmit(t testing.TB) *submit {
	p := NewProposer(nil, ProposerOptions{})
	s := benchSpec(t)
	born, err := p.spec(uuid.Must(uuid.NewV7()), &s)
	if err != nil {
		t.Fatal(err)
	}
	return &submit{specs: []spec{born}}
}

// BenchmarkCodec writes and reads a submission as Proposer and ApplyBatch do.
func BenchmarkCodec(b *testing.B) {
	c := benchSubmit(b)
	env := envelope{time: epoch.UnixNano()}
	b.SetBytes(int64(len(encodeCommand(env, c))))
	b.ReportAllocs()
	for b.Loop() {
		if err := new(enveloped).decode(&decoder{b: encodeCommand(env, c)}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkApply applies entries of 512 submissions, claims and completions, and
// executes the same statements, those of an entry included, in a loop on another
// database. The ratios are the overhead over the statements.
func BenchmarkApply(b *testing.B) {
	const n = 512
	c := newCluster(b)
	node := c.register("a", func(r *ffrtmp.Registration) { r.MaxConcurrentJobs = 1024 })
	raw := newCluster(b).fsm.state
	var applied, looped [3]time.Duration
	next := 0
	for b.Loop() {
		specs := make([]*submit, n)
		commands := make([]command, n)
		for i := range specs {
			specs[i] = benchSubmit(b)
			commands[i] = specs[i]
		}
		applied[0] += c.timed(b, commands)
		for i := range commands {
			commands[i] = &claim{node: node, leases: []lease{{1}}}
		}
		applied[1] += c.timed(b, commands)
		for i := range commands {
			commands[i] = &result{
				seq: uint64(next + i + 1), node: node, attempt: 1, lease: lease{1},
				status: ffrtmp.ResultCompleted,
			}
		}
		applied[2] += c.timed(b, commands)

		l := lease{1}
		looped[0] += rawBatch(b, raw, n, func(i int) {
			s := &specs[i].specs[0]
			rawExec(b, raw, insertSpec, int64(next+i+1), uuid.Must(uuid.NewV7()).String(), s.scenario, s.confidence,
				s.engine,
				s.classification,
				s.parameters, s.requires, s.labels, s.timeout, int64(i), nil, nil)
			rawExec(b, raw, insertState, int64(next+i+1), store.StatusPending, s.queue, s.priority, s.maxRetries)
		})
		looped[1] += rawBatch(b, raw, n, func(i int) {
			rawExec(b, raw, updateClaim, store.StatusRunning, int64(store.HoldActive), int64(1), int64(1), l[:],
				epoch.UnixNano(), int64(0), epoch.UnixNano(), int64(next+i+1))
		})
		looped[2] += rawBatch(b, raw, n, func(i int) {
			rawExec(b, raw, insertAttempt, int64(next+i+1), int64(1), int64(1), int64(1), epoch.UnixNano(),
				epoch.UnixNano(),
				nil, nil, nil, nil, nil)
			rawExec(b, raw, updateComplete, store.StatusCompleted, int64(store.HoldNone), epoch.UnixNano(),
				epoch.UnixNano(),
				int64(next+i+1))
		})
		next += n
	}
	for i, name := range []string{"insert", "claim", "complete"} {
		b.ReportMetric(float64(next)/applied[i].Seconds(), name+"s/s")
		b.ReportMetric(float64(looped[i])/float64(applied[i]), name+"-of-raw")
	}
}

// timed applies commands as one entry.
func (c *cluster) timed(b *testing.B, commands []command) time.Duration {
	data := make([][]byte, len(commands))
	for i := range commands {
		data[i] = encodeCommand(envelope{time: c.now.UnixNano()}, commands[i])
	}
	entry := encodeEntry(data)
	start := time.Now()
	_, response, _ := c.Apply(b.Context(), entry)
	took := time.Since(start)
	for _, r := range response.([]any) {
		if refused, ok := r.(*ffrtmp.Error); ok {
			b.Fatal(refused)
		}
	}
	return took
}

func rawExec(b *testing.B, s *state, st store.Statement, args ...any) {
	values := make([]driver.Value, len(args))
	for i, a := range args {
		values[i] = a
	}
	if err := s.DB.Exec(st, values...); err != nil {
		b.Fatal(err)
	}
}

// eventBytes is what a job's event takes in its entry's row.
const eventBytes = 25

// rawBatch executes n times do's statements and those of an entry.
func rawBatch(b *testing.B, s *state, n int, do func(int)) time.Duration {
	s.meta.Index++
	m, events := &s.meta, make([]byte, eventBytes*n)
	start := time.Now()
	if err := s.Begin(); err != nil {
		b.Fatal(err)
	}
	for i := range n {
		do(i)
	}
	rawExec(b, s, insertEvents, int64(m.Index), epoch.UnixNano(), int64(n), events)
	if err := s.Commit(m); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}
