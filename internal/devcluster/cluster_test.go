package devcluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

func start(t *testing.T, opts Options) *Cluster {
	t.Helper()
	if opts.BinDir == "" {
		opts.BinDir = testkit.StandIns(t)
	}
	c, err := Start(timeout(t), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func timeout(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// lives reports whether a process exists and is no zombie.
func lives(t *testing.T, pid int) bool {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	return !bytes.Contains(stat, []byte(") Z "))
}

func childOf(t *testing.T, a *Agent) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(a.StateDir(), "child"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// Start and close leave nothing.
func TestClose_LeavesNothing(t *testing.T) {
	c := start(t, Options{Masters: 3, Agents: 2})
	var pids []int
	for _, p := range c.processes() {
		pids = append(pids, p.PID())
	}
	for _, a := range c.Agents() {
		pids = append(pids, childOf(t, a))
	}
	c.Agent(1).Kill()
	if !lives(t, childOf(t, c.Agent(1))) {
		t.Error("the killed agent's child died with it: the test proves less than it should")
	}
	for _, m := range c.Masters() {
		info, err := os.Stat(m.LogPath())
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("log of %s: %v, %v", m.Name(), info, err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if lives(t, pid) {
			t.Errorf("process %d survived", pid)
		}
	}
	if _, err := os.Stat(c.Dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", c.Dir(), err)
	}
	if err := c.Master(0).Start(); !errors.Is(err, ErrClosed) {
		t.Errorf("start after close: %v", err)
	}
	if _, err := c.AddAgent(); !errors.Is(err, ErrClosed) {
		t.Errorf("add after close: %v", err)
	}
}

// Arguments.
func TestStart_Arguments(t *testing.T) {
	c := start(t, Options{Masters: 3, Agents: 1, MasterArgs: func(i int) []string {
		return []string{"--lease-ttl", strconv.Itoa(5+i) + "s"}
	}})
	for i, m := range c.Masters() {
		args := m.args()
		if got := len(strings.Split(argument(args, "--join"), ",")); got != 3 {
			t.Errorf("%d addresses to join", got)
		}
		if got, want := argument(args, "--lease-ttl"), strconv.Itoa(5+i)+"s"; got != want {
			t.Errorf("further arguments: %q, want %q", got, want)
		}
		if argument(args, "--bootstrap-expect") != "3" {
			t.Errorf("args %q", args)
		}
	}
	for _, p := range c.processes() {
		if all := strings.Join(p.args(), " "); strings.Contains(all, c.APIKey()) {
			t.Errorf("%s has the API key on its command line", p.Name())
		}
	}
	added, err := c.AddMaster()
	if err != nil {
		t.Fatal(err)
	}
	if args := added.args(); argument(args, "--bootstrap-expect") != "" || argument(args, "--join") == "" {
		t.Errorf("a master that joins has args %q", args)
	}
	single := start(t, Options{Masters: 1})
	if args := single.Master(0).args(); argument(args, "--join") != "" || argument(args, "--peer-port") != "" {
		t.Errorf("a single master has args %q", args)
	}
}

// Restart keeps ports and directories.
func TestRestart_KeepsPlaces(t *testing.T) {
	c := start(t, Options{Masters: 2})
	m := c.Master(1)
	url, pid := m.URL(), m.PID()
	for _, end := range []func() error{
		func() error { m.Kill(); return nil },
		func() error { return m.Stop(timeout(t)) },
	} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if m.Running() || lives(t, pid) {
			t.Fatal("it runs on")
		}
		// While it is down its port refuses connections, as a dead machine's would, and yet nobody else can take it.
		address := strings.TrimPrefix(url, "https://")
		if _, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial while it is down: %v", err)
		}
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		if err := m.Start(); err == nil {
			t.Error("started twice")
		}
		if err := m.WaitReady(timeout(t)); err != nil {
			t.Fatal(err)
		}
		if m.URL() != url || m.PID() == pid {
			t.Errorf("%s, process %d; before %s, process %d", m.URL(), m.PID(), url, pid)
		}
		pid = m.PID()
	}
	// A process may be ready before what it printed at its start has been copied.
	testkit.Eventually(t, "three starts in the log", func() bool {
		log, err := os.ReadFile(m.LogPath())
		return err == nil && strings.Count(string(log), "args --name") == 3
	})
	if err := m.Move(); err == nil {
		t.Error("moved while running")
	}
	m.Kill()
	if err := m.Move(); err != nil {
		t.Fatal(err)
	}
	if m.URL() == url {
		t.Error("moved to the same port")
	}
	if err := c.Start(timeout(t)); err != nil {
		t.Fatal(err)
	}
}

func TestLeader(t *testing.T) {
	c := start(t, Options{Masters: 3})
	soon, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if i, err := c.Leader(soon); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a leader: %d, %v", i, err)
	}
	if err := os.WriteFile(filepath.Join(c.Master(2).Dir(), "lead"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// A frozen master does not prevent the answer.
	if err := c.Master(0).Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if i, err := c.Leader(timeout(t)); err != nil || i != 2 {
		t.Errorf("leader %d, %v; want 2", i, err)
	}
}

// A failed start says why and leaves nothing.
func TestStart_Failure(t *testing.T) {
	dir := t.TempDir()
	_, err := Start(
		timeout(t),
		Options{Masters: 2, Agents: 1, BinDir: testkit.StandIns(t), Dir: dir, MasterArgs: func(i int) []string {
			return [][]string{nil, {"--fail", "the disk is missing"}}[i]
		}},
	)
	if err == nil || !strings.Contains(err.Error(), "the disk is missing") ||
		!strings.Contains(err.Error(), "master-1") {
		t.Errorf("got %v", err)
	}
	entries, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if line, _ := os.ReadFile(entry); bytes.Contains(line, []byte(dir)) {
			t.Errorf("left behind: %q", line)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "logs", "master-1.log")); err != nil {
		t.Errorf("a directory of the caller's was removed: %v", err)
	}
	blocked := t.TempDir()
	if err := os.WriteFile(filepath.Join(blocked, "keys"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := New(Options{Masters: 1, BinDir: testkit.StandIns(t), Dir: blocked}); err == nil || c != nil {
		t.Errorf("without a place for keys: %v, %v", c, err)
	}
	if _, err := Start(timeout(t), Options{Masters: 1, BinDir: t.TempDir()}); err == nil ||
		!strings.Contains(err.Error(), "no program master") {
		t.Errorf("without programs: %v", err)
	}
}

// Output is prefixed.
func TestOutput_Prefixed(t *testing.T) {
	var out bytes.Buffer // read after Stop
	c := start(t, Options{Masters: 2, Output: &out})
	if err := c.Stop(timeout(t)); err != nil {
		t.Fatal(err)
	}
	for _, m := range c.Masters() {
		if log, err := os.ReadFile(m.LogPath()); err != nil || !bytes.HasSuffix(log, []byte("ended by SIGTERM\n")) {
			t.Errorf("the log of %s, %v:\n%s", m.Name(), err, log)
		}
	}
	for _, want := range []string{"master-0 | args --name", "master-1 | args --name"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %q", want, out.String())
		}
	}
}

// Prefixer keeps lines whole.
func TestPrefixer_WholeLines(t *testing.T) {
	var out bytes.Buffer
	p := &prefixer{prefix: "x | ", w: &out}
	for _, part := range []string{"a", "b\nc\n", "", "d", "\n\ne"} {
		if n, err := p.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got, want := out.String(), "x | ab\nx | c\nx | d\nx | \n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Environment is ours.
func TestEnvironment(t *testing.T) {
	t.Setenv("FFRTMP_PORT", "1")
	t.Setenv("MASTER_API_KEY", "from outside")
	c := start(t, Options{Masters: 1, Env: []string{"FFRTMP_LOG_LEVEL=debug"}})
	req, err := http.NewRequestWithContext(timeout(t), http.MethodGet, c.Master(0).URL()+"/environment", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var env []string
	if err := json.NewDecoder(resp.Body).Decode(&env); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(env, "\n")
	if strings.Contains(all, "FFRTMP_PORT") || strings.Contains(all, "from outside") ||
		!strings.Contains(all, "FFRTMP_LOG_LEVEL=debug") {
		t.Errorf("environment:\n%s", all)
	}
}

// Close at any time.
func TestClose_AtAnyTime(t *testing.T) {
	bin := testkit.StandIns(t)
	for range 5 {
		c, err := New(Options{Masters: 3, Agents: 1, BinDir: bin})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		all.Go(func() { _ = c.Start(timeout(t)) })
		all.Go(func() { _ = c.Close() })
		all.Go(func() { _ = c.Close() })
		all.Wait()
		for _, p := range c.processes() {
			if p.Running() {
				t.Errorf("%s runs", p.Name())
			}
		}
	}
}

// TestKiller_ParentKilled kills a program in the middle of its cluster.
func TestKiller_ParentKilled(t *testing.T) {
	if dir := os.Getenv("DEVCLUSTER_TEST_PARENT"); dir != "" {
		c := start(t, Options{Masters: 2, Agents: 1, Dir: dir})
		pids := fmt.Sprint(c.Master(0).PID(), c.Master(1).PID(), c.Agent(0).PID(), childOf(t, c.Agent(0)))
		if err := os.WriteFile(filepath.Join(dir, "pids.tmp"), []byte(pids), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "pids.tmp"), filepath.Join(dir, "pids")); err != nil {
			t.Fatal(err)
		}
		<-make(chan struct{})
	}
	dir := t.TempDir()
	parent := exec.Command(os.Args[0], "-test.run", "^TestKiller_ParentKilled$")
	parent.Env = append(os.Environ(), "DEVCLUSTER_TEST_PARENT="+dir, "TMPDIR="+dir) // what it cannot remove is in dir
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	testkit.Eventually(t, "a running cluster", func() bool {
		data, err := os.ReadFile(filepath.Join(dir, "pids"))
		for _, field := range strings.Fields(string(data)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
		return err == nil
	})
	for _, pid := range pids {
		if !lives(t, pid) {
			t.Errorf("process %d does not even run", pid)
		}
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // killed
	for _, pid := range pids {
		testkit.Eventually(t, fmt.Sprintf("the end of process %d", pid), func() bool { return !lives(t, pid) })
	}
}
