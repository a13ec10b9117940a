package fsm

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// settle commits what was applied, for programs that read the file beside the FSM.
func (c *cluster) settle() {
	c.Helper()
	check(c, c.fsm.settle())
}

// collectLong keeps the transaction open until somebody reads or it is full.
func (c *cluster) collectLong() {
	c.fsm.applying.Lock()
	defer c.fsm.applying.Unlock()
	s := &c.fsm.collected
	s.alone, s.limit = -1, testkit.Patience
}

// crash continues with what the files hold at this moment, as after kill -9.
func (c *cluster) crash() {
	c.Helper()
	copied := filepath.Join(c.TempDir(), "copy")
	c.fsm.applying.Lock()
	err := exec.Command("cp", "-a", filepath.Dir(c.opts.Path), copied).Run()
	c.fsm.applying.Unlock()
	check(c, err)
	check(c, c.fsm.Close())
	c.opts.Path, c.opts.Dir = filepath.Join(copied, "master.db"), filepath.Join(copied, "master.raft")
	c.fsm = c.open()
	check(c, c.fsm.Verify())
}

// An applied entry is not committed at once, but every reader sees it.
func TestCollect_Readers(t *testing.T) {
	c := newCluster(t)
	c.collectLong()
	for want := 1; want <= 3; want++ {
		c.submit()
		if c.fsm.committed.Load() >= c.fsm.Index() {
			t.Fatalf("entry %d is committed before anybody reads it", want)
		}
		list, err := c.fsm.Jobs(t.Context(), ffrtmp.Filter{}, ffrtmp.Page{Limit: 10})
		if err != nil || len(list.Jobs) != want {
			t.Fatalf("got %d jobs, %v, want %d", len(list.Jobs), err, want)
		}
	}
	c.submit()
	if got := c.job(4).SequenceNumber; got != 4 {
		t.Errorf("got job %d, want 4", got)
	}
}

// A backup has what was applied before it, committed or not.
func TestCollect_Backup(t *testing.T) {
	c := newCluster(t)
	c.collectLong()
	c.submit()
	c.submit()
	if _, m, err := OpenBackup(bytes.NewReader(c.backUp()), t.TempDir()); err != nil || m.Jobs != 2 {
		t.Errorf("got a backup with %d jobs, %v, want 2", m.Jobs, err)
	}
}

// A command that comes alone is committed before it is answered.
func TestCollect_Alone(t *testing.T) {
	c := newCluster(t)
	c.submit()
	if c.fsm.committed.Load() != 1 {
		t.Error("got an answer before the commit")
	}
}

// Without a reader entries are committed soon, and other programs may then write.
func TestCollect_Idle(t *testing.T) {
	c := newCluster(t)
	c.fsm.collected.alone = -1
	c.submit()
	testkit.Eventually(t, "the entry is committed", func() bool { return c.fsm.committed.Load() == c.fsm.Index() })
	if got := shell(t, c.opts.Path, "SELECT count(*) FROM jobs; VACUUM"); got != "1\n" {
		t.Errorf("got %q, want 1 job", got)
	}
}

// A full transaction is committed without waiting.
func TestCollect_Full(t *testing.T) {
	c := newCluster(t)
	c.collectLong()
	for range collectCommands {
		if c.fsm.committed.Load() != 0 {
			t.Fatalf("committed at %d", c.fsm.Index())
		}
		c.submit()
	}
	if got := c.fsm.committed.Load(); got != collectCommands {
		t.Errorf("got commit of %d, want %d", got, collectCommands)
	}
	c.submit(func(s *ffrtmp.Spec) { s.Classification = "later" })
	large := make([]ffrtmp.Spec, 50)
	for i := range large {
		large[i] = newSpec(t, func(s *ffrtmp.Spec) {
			s.Parameters = fmt.Appendf(nil, `{"input":%q}`, strings.Repeat("x", 4000))
		})
	}
	for range 6 {
		_, _, err := c.Submit(t.Context(), Idempotency{}, large)
		check(t, err)
	}
	if got := c.fsm.committed.Load(); got != c.fsm.Index() {
		t.Errorf("got commit of %d, want %d", got, c.fsm.Index())
	}
}

// A snapshot has every applied entry.
func TestCollect_Snapshot(t *testing.T) {
	c := newCluster(t)
	c.collectLong()
	c.submit()
	image := c.snapshot()
	c.submit()
	c.restoreInPlace(image)
	if got := c.fsm.Index(); got != 1 {
		t.Fatalf("got index %d, want 1", got)
	}
	if got := c.fsm.Counts().Submitted; got != 1 {
		t.Errorf("got %d jobs, want 1", got)
	}
	c.fsm.ApplyBatch(c.entries)
	if got := c.job(2).SequenceNumber; got != 2 {
		t.Errorf("got job %d, want 2", got)
	}
}

// Refused and repeated commands change nothing in a transaction that stays open.
func TestCollect_Refusals(t *testing.T) {
	c := newCluster(t)
	c.collectLong()
	key := Idempotency{Principal: "p", Key: "k", Hash: [32]byte{1}}
	spec := []ffrtmp.Spec{newSpec(t)}
	_, first, err := c.Submit(t.Context(), key, spec)
	check(t, err)
	_, again, err := c.Submit(t.Context(), key, spec)
	check(t, err)
	if !again.Replayed || again.Jobs[0] != first.Jobs[0] {
		t.Errorf("got %+v, want the replay of %+v", again, first)
	}
	key.Hash[0] = 2
	_, _, err = c.Submit(t.Context(), key, spec)
	wantCode(t, err, ffrtmp.Conflict)
	_, _, err = c.Act(t.Context(), Idempotency{}, ffrtmp.Resume, 1)
	wantCode(t, err, ffrtmp.Conflict)
	if c.fsm.committed.Load() != 0 {
		t.Fatal("the transaction was closed")
	}
	if n := c.fsm.Counts().Submitted; n != 1 || c.job(1).Status != ffrtmp.Pending {
		t.Errorf("got %d jobs, want 1", n)
	}
}

// An entry that cannot be applied takes back what is not committed, and readers are refused.
func TestCollect_Failure(t *testing.T) {
	c := newCluster(t)
	c.collectLong()
	var fatal error
	c.fsm.opts.Fatal = func(err error) { fatal = err }
	c.submit()
	c.fsm.Apply(&raft.Log{Index: 2, Term: 1, Type: raft.LogCommand, Data: []byte("nonsense")})
	if fatal == nil {
		t.Fatal("got no error")
	}
	_, err := c.fsm.Job(t.Context(), "1")
	wantCode(t, err, ffrtmp.Internal)
	check(t, c.fsm.Close())
	c.fsm = c.open()
	if err := c.fsm.Verify(); err == nil {
		t.Error("the state is trusted after a failure, want it to be made again from the log")
	}
	check(t, c.fsm.Discard())
	if got := c.fsm.Index(); got != 0 {
		t.Fatalf("got index %d after a restart, want 0", got)
	}
	c.fsm.ApplyBatch(c.entries)
	if c.job(1).Status != ffrtmp.Pending {
		t.Error("the job is gone")
	}
}
