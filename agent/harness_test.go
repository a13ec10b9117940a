package agent

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/probe"
	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

const childVariable = "FFRTMP_TEST_AGENT"

// TestMain is, beside the tests, the supervisors that they start and the agents
// that they kill.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "supervise" {
		os.Exit(supervisor.Main(os.Args[2]))
	}
	if setting := os.Getenv(childVariable); setting != "" {
		os.Unsetenv(childVariable)
		os.Exit(childMain(setting))
	}
	status := m.Run()
	os.RemoveAll(shared.dir)
	os.Exit(status)
}

// child is an agent in a process of its own, which dies by SIGKILL at a step.
type child struct {
	Masters             []string
	CA                  []byte
	State, Root, FFmpeg string
	DieAt               step
}

func childMain(setting string) int {
	var c child
	if err := json.Unmarshal([]byte(setting), &c); err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.CA)
	a, err := New(Config{
		Masters: c.Masters, TLS: &tls.Config{RootCAs: pool}, Name: "child", StateDir: c.State,
		MediaRoots: []string{c.Root}, FFmpeg: c.FFmpeg,
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: os.Stderr}),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	a.onStep = func(_ *attempt, s step) {
		if s == c.DieAt {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	if err := a.Run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (c child) start(t *testing.T) *exec.Cmd {
	t.Helper()
	setting, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childVariable+"="+string(setting))
	out := &strings.Builder{}
	cmd.Stderr = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(out.String())
		}
	})
	return cmd
}

// shared is made once for all tests: an ffmpeg that counts its encodes, encodes a pattern of
// 10 frames a second in real time and waits while its site holds it, and the encoders that work.
var shared struct {
	once sync.Once
	err  error
	dir  string
}

func share(t *testing.T) (ffmpeg, cache, runs string) {
	t.Helper()
	shared.once.Do(func() {
		shared.dir, shared.err = prepare()
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return filepath.Join(shared.dir, "ffmpeg"), filepath.Join(shared.dir, "cache"), filepath.Join(shared.dir, "runs")
}

func prepare() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "agent-test"); err != nil {
		return "", err
	}
	return dir, fill(dir)
}

func fill(dir string) error {
	real, err := exec.LookPath("ffmpeg")
	if err != nil {
		return err
	}
	script := fmt.Sprintf(`#!/bin/sh
case "$*" in *-progress*) echo "$FFRTMP_ATTEMPT_DIR" >>%s ;; esac
case "$*" in *rate=10*) set -- -re "$@" ;; esac
while [ -n "$FFRTMP_ATTEMPT_DIR" ] && [ -e "$FFRTMP_ATTEMPT_DIR/../../hold" ]; do sleep 0.1; done
exec %s "$@"
`, filepath.Join(dir, "runs"), real)
	if err := writeScript(filepath.Join(dir, "ffmpeg"), script); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "runs"), nil, 0o600); err != nil {
		return err
	}
	tools, err := probe.FindTools(filepath.Join(dir, "ffmpeg"))
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "cache"), 0o700); err != nil {
		return err
	}
	_, err = probe.Encoders(context.Background(), tools, filepath.Join(dir, "cache"), func([]string) {})
	return err
}

// writeScript writes a file that can be executed at once: a child that another test
// starts meanwhile would hold it open for writing until it executes something itself,
// and executing it here would fail with "text file busy".
func writeScript(path, script string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, []byte(script), 0o755)
}

// checkOneRun checks that attempt 1 of a job ran ffmpeg once.
func (s *site) checkOneRun(id string) {
	s.t.Helper()
	if n := s.runs(id); n != 1 {
		s.t.Errorf("got %d runs of ffmpeg, want 1", n)
	}
}

// checkCompletedOnce checks that attempt 1 of a job was sealed and completed, and ran ffmpeg once.
func (s *site) checkCompletedOnce(f *masters, id string) {
	s.t.Helper()
	s.checkResults(f, id, "publishing 1", "completed 1")
	s.checkOneRun(id)
}

// runs counts the encodes of attempt 1.
func (s *site) runs(id string) int {
	s.t.Helper()
	_, _, runs := share(s.t)
	data, err := os.ReadFile(runs)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Count(string(data), s.state+"/attempts/"+attemptID{id, 1}.String()+"\n")
}

// site is one machine: where its agents keep state and media.
type site struct {
	t           *testing.T
	state, root string
	ffmpeg      string
	jobs        int
	drain       time.Duration
	masters     []string
	log         hclog.Logger
}

func newSite(t *testing.T, f *masters) *site {
	t.Helper()
	s := &site{t: t, state: filepath.Join(t.TempDir(), "state"), root: t.TempDir(), jobs: 1, masters: f.URLs()[:1]}
	if err := os.Mkdir(s.state, 0o700); err != nil {
		t.Fatal(err)
	}
	var cache string
	s.ffmpeg, cache, _ = share(t)
	if err := os.CopyFS(s.state, os.DirFS(cache)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.sweep)
	return s
}

// sweep leaves no process behind, whatever a test has done.
func (s *site) sweep() {
	for _, dir := range s.attempts() {
		if p, err := supervisor.Find(dir); err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			_, _ = p.Stop(ctx)
			cancel()
		}
	}
}

func (s *site) attempts() []string {
	list, err := filepath.Glob(filepath.Join(s.state, "attempts", "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

func (s *site) config() Config {
	log := s.log
	if log == nil {
		log = hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: s.t.Output()})
	}
	return Config{
		Masters: s.masters, TLS: &tls.Config{RootCAs: testPool(s.t)}, Name: "node", StateDir: s.state,
		MediaRoots: []string{s.root}, FFmpeg: s.ffmpeg,
		MaxConcurrentJobs: s.jobs, DrainTimeout: s.drain, Logger: log,
	}
}

// agent returns an agent that does not run yet.
func (s *site) agent() *Agent {
	s.t.Helper()
	a, err := New(s.config())
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// start runs an agent; stop drains it, and is called at the test's end at the latest.
func (s *site) start() (a *Agent, stop func()) {
	s.t.Helper()
	a = s.agent()
	return a, s.run(a)
}

func (s *site) run(a *Agent) (stop func()) {
	cancel, wait := s.begin(a)
	return func() { cancel(); wait() }
}

// begin runs an agent until cancel, or the test's end; wait returns when it has drained.
func (s *site) begin(a *Agent) (cancel, wait func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	wait = sync.OnceFunc(func() {
		if err := <-ended; err != nil {
			s.t.Errorf("Run: got %v, want no error", err)
		}
	})
	s.t.Cleanup(func() { cancel(); wait() })
	return cancel, wait
}

// hold makes every ffmpeg that starts from now on wait before its first frame.
func (s *site) hold() {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.state, "hold"), nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// release ends hold.
func (s *site) release() {
	if err := os.Remove(filepath.Join(s.state, "hold")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Error(err)
	}
}

// awaitFFmpeg waits until an agent has started ffmpeg for attempt 1 of a job, and returns its run.
func (s *site) awaitFFmpeg(a *Agent, id string) (p *supervisor.Process) {
	s.t.Helper()
	testkit.Eventually(s.t, "the agent has started ffmpeg", func() bool {
		if at := a.slots.get(attemptID{id, 1}); at != nil {
			p = at.running()
		}
		return p != nil
	})
	return p
}

func (s *site) child(dieAt step) child {
	return child{Masters: s.masters, CA: testCA(s.t), State: s.state, Root: s.root, FFmpeg: s.ffmpeg, DieAt: dieAt}
}

// checkClean fails the test when an attempt has left anything but its output.
func (s *site) checkClean() {
	s.t.Helper()
	testkit.Eventually(s.t, "no attempt is left", func() bool { return len(s.attempts()) == 0 })
	hidden, err := filepath.Glob(filepath.Join(s.root, ".*"))
	if err != nil || len(hidden) > 0 {
		s.t.Errorf("got work files %v (%v), want none", hidden, err)
	}
}

// checkResults compares the accepted results of a job, as "status attempt". The job changes before the
// proxy has seen the answer; the agent removes the attempt after it.
func (s *site) checkResults(f *masters, id string, want ...string) {
	s.t.Helper()
	s.checkClean()
	if got := f.results(id); !slices.Equal(got, want) {
		s.t.Errorf("got results %q, want %q", got, want)
	}
}

func (s *site) checkOutput(j ffrtmp.Job, name string) {
	s.t.Helper()
	path := filepath.Join(s.root, name)
	data, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	if j.Output == nil || j.Output.Path != path || j.Output.SizeBytes != int64(len(data)) ||
		j.Output.SHA256 != hex.EncodeToString(sum[:]) {
		s.t.Errorf("got output %+v, want %s with %d bytes", j.Output, path, len(data))
	}
}

var pool struct {
	once sync.Once
	pem  []byte
}

// testCA is the certificate that every httptest server has.
func testCA(t *testing.T) []byte {
	t.Helper()
	pool.once.Do(func() {
		s := httptest.NewTLSServer(nil)
		defer s.Close()
		pool.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	})
	return pool.pem
}

func testPool(t *testing.T) *x509.CertPool {
	t.Helper()
	p := x509.NewCertPool()
	p.AppendCertsFromPEM(testCA(t))
	return p
}
