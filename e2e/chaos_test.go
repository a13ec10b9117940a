//go:build chaos

package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

var (
	seedFlag = flag.Uint64("seed", 0, "what faults are drawn from; 0: another one each time")
	longFlag = flag.Duration("faults", 90*time.Second, "how long faults are made")
)

// Ten leaders are killed under load: short write gaps, nothing lost or duplicated.
func TestChaos_TenKilledLeaders(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	w := s.write(8, "kills")
	gaps := s.killLeaders(w, 10)
	w.verify()
	if median, longest := gaps[5], gaps[9]; median > 300*time.Millisecond || longest > 2*time.Second {
		t.Errorf("got write gaps of %s (median) and %s (longest), want at most 300 ms and 2 s", median, longest)
	}
}

// A canceled job's ffmpeg ends within two seconds.
func TestChaos_CancelInTwoSeconds(t *testing.T) {
	if took := cancelJobs(t); took > 2*time.Second {
		t.Errorf("got the end of ffmpeg after %s, want at most 2 s", took)
	}
}

// Five leaders are stopped under load: nothing is lost, writes pause for less than a second.
func TestChaos_FiveStoppedLeaders(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	w := s.write(8, "stops")
	for range 5 {
		w.more(100)
		if gap := s.stopLeader(w); gap > time.Second {
			t.Errorf("got a write gap of %s, want at most 1 s", gap)
		}
		s.voters(3)
	}
	w.verify()
}

// Random kills, freezes, stops and power cuts lose no acknowledged job and leave equal masters.
func TestChaos_Faults(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("to repeat: -args -seed %d", seed)
	s := start(t, devcluster.Options{
		Masters: 3, Agents: 3,
		MasterArgs: func(int) []string {
			return []string{"--lease-ttl", "3s", "--retry-base", "1s", "--log-level", "debug"}
		},
		AgentArgs: func(int) []string { return []string{"--drain-timeout", "1s", "--log-level", "debug"} },
	})
	s.voters(3)
	w := s.write(4, "chaos")
	e := s.encodeAll(4)
	f := &faults{s: s, seed: seed, began: time.Now(), long: *longFlag}
	f.make()
	s.must(s.Start(s.soon()))
	s.voters(3)
	w.verify()
	e.verify()
	s.sameEverywhere()
}

// encodings are real jobs, submitted one after the other by several users.
type encodings struct {
	s    *site
	stop func()

	mu  sync.Mutex
	ids []string
}

func (s *site) encodeAll(users int) *encodings {
	e := &encodings{s: s}
	over := make(chan struct{})
	var all sync.WaitGroup
	for user := range users {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-over:
					return
				default:
				}
				e.encode("job-" + strconv.Itoa(user) + "-" + strconv.Itoa(n) + ".mp4")
			}
		})
	}
	var once sync.Once
	e.stop = func() { once.Do(func() { close(over) }); all.Wait() }
	s.t.Cleanup(e.stop)
	return e
}

func (e *encodings) encode(output string) {
	ctx := e.s.soon()
	retries := 20
	spec := pattern("360p25-h264", map[string]any{"output": output, "duration": 2, "threads": 1})
	spec.MaxRetries = &retries
	j, err := e.s.client.Submit(ctx, spec, client.IdempotencyKey(output))
	if err == nil {
		e.mu.Lock()
		e.ids = append(e.ids, j.ID)
		e.mu.Unlock()
		j, err = e.s.client.Wait(ctx, j.ID, nil)
	}
	if err != nil || j.Status != ffrtmp.Completed {
		e.s.t.Errorf("%s: got %v, job %+v, want completed\n%s", output, err, j, e.s.history(j.ID))
	}
}

// verify checks that every job has one result, which matches its file.
func (e *encodings) verify() {
	t := e.s.t
	t.Helper()
	e.stop()
	attempts := map[int]int{}
	for _, id := range e.ids {
		j := e.s.look(id)
		completed := 0
		for _, o := range outcomes(j) {
			if o == ffrtmp.AttemptCompleted {
				completed++
			}
		}
		attempts[len(j.Attempts)]++
		if j.Status != ffrtmp.Completed || completed != 1 || j.Output == nil {
			t.Errorf("job %s: got %s with attempts %+v, want one completed", id, j.Status, j.Attempts)
			continue
		}
		data, err := os.ReadFile(j.Output.Path)
		sum := sha256.Sum256(data)
		if err != nil || j.Output.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("job %s: got record %+v, want that of the file: SHA-256 %x (%v)", id, j.Output, sum, err)
		}
	}
	t.Logf("%d jobs encoded; jobs by number of attempts: %v", len(e.ids), attempts)
	if len(e.ids) == 0 {
		t.Error("got no encoded job")
	}
	e.s.eventually("no ffmpeg is left", func() bool {
		return !slices.ContainsFunc(e.s.Agents(), func(a *devcluster.Agent) bool { return len(e.s.ffmpegs(a)) > 0 })
	})
	e.s.eventually("no work file is left", func() bool { return len(e.s.workFiles()) == 0 })
}

// sameEverywhere compares the states of all masters byte by byte.
func (s *site) sameEverywhere() {
	s.t.Helper()
	w := s.wire()
	index := w.call(s.t, http.MethodGet, s.Master(s.leader()).URL()+"/jobs?consistent&limit=1", "").
		want(s.t, 200).
		header.Get(
		"X-Ffrtmp-Index",
	)
	jobs := func(m *devcluster.Master) (text []byte) {
		for _, page := range w.pages(s.t, m.URL()+"/jobs?stale&limit=10000&order=asc&wait=30s&index="+index) {
			text = append(text, page.body...)
		}
		return text
	}
	first := jobs(s.Master(0))
	for _, m := range s.Masters()[1:] {
		here := jobs(m)
		at := 0
		for at < min(len(first), len(here)) && first[at] == here[at] {
			at++
		}
		if !bytes.Equal(first, here) {
			s.t.Errorf(
				"%[2]s and %[3]s differ from byte %[1]d on:\n%[4]s\n%[5]s",
				at,
				s.Master(0).Name(),
				m.Name(),
				around(first, at),
				around(here, at),
			)
		}
	}
}

// around returns the text near a position.
func around(text []byte, at int) []byte { return text[max(0, at-300):min(len(text), at+300)] }
