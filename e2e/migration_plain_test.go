package e2e

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// The guide's commands without TLS, with old and new agents side by side, and from http:// to TLS work as they stand.
func TestMigration_WithoutTLS(t *testing.T) {
	m := newMigration(t)
	m.run(m.block("ffrtmp certs init"))
	m.startMasters("--tls=false")
	m.healthy(m.block("export MASTER_URL=http://"))

	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(transport.CloseIdleConnections)
	site := &site{t: t}
	w := &wire{http: &http.Client{Transport: transport}, key: strings.TrimPrefix(key, "MASTER_API_KEY=")}
	old := site.oldAgent(w, "http://127.0.0.1:"+m.ports[1].api, "enc-02")
	agent := m.newAgent()
	m.sideBySide(old, agent.dir)

	m.run(guideBlock{commands: "ffrtmp nodes drain enc-02"})
	m.toTLS(agent)
	old.master = strings.Replace(old.master, "http:", "https:", 1)
	again := site.oldAgent(w, old.master, "enc-02")
	if again.node != old.node {
		t.Errorf("got node %s over TLS, want %s", again.node, old.node)
	}
	m.run(guideBlock{commands: "ffrtmp nodes uncordon enc-02"})
	m.sideBySide(again, agent.dir)
}

// migrated is a new agent on a machine of its own.
type migrated struct {
	*program
	dir string
	env []string
}

// newAgent starts the guide's new agent with a film in its media root.
func (m *migration) newAgent() *migrated {
	m.t.Helper()
	a := &migrated{dir: m.t.TempDir()}
	a.env = []string{key, "HOME=" + a.dir, "FFRTMP_METRICS_PORT=" + freePort(m.t)}
	m.copyTo(a.dir, "certs/ca.crt")
	out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=10:duration=1",
		filepath.Join(a.dir, "film.mp4")).CombinedOutput()
	m.must(err, string(out))
	for line := range strings.Lines(m.block("nodes drain enc-01").commands) {
		if strings.HasPrefix(line, "agent ") {
			a.program = m.background(a.dir, "\n"+line, a.env...)
		}
	}
	m.registered("enc-01")
	return a
}

// registered waits until a node is available.
func (m *migration) registered(name string) {
	m.t.Helper()
	testkit.Eventually(m.t, name+" is available", func() bool {
		out, err := m.shell(m.dir, "ffrtmp nodes describe "+name)
		return err == nil && strings.Contains(words(out), "Status available")
	})
}

// sideBySide executes the commands on old and new agents; the old one takes only its own job.
func (m *migration) sideBySide(old *oldAgent, machine string) {
	m.t.Helper()
	lines := strings.SplitAfter(strings.TrimSpace(m.block("nodes describe enc-02").commands), "\n")
	_, want, _ := strings.Cut(lines[0], "# ")
	out, err := m.shell(m.dir, lines[0])
	m.must(err, out)
	if !strings.Contains(words(out), words(want)) {
		m.t.Errorf("got node\n%s\nwant %s", out, want)
	}
	out, err = m.shell(m.dir, lines[1])
	m.must(err, out)
	finished := make(chan string, 10)
	watched := make(chan error, 1)
	go func() {
		out, err := m.shell(m.dir, lines[2])
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		watched <- err
	}()
	testkit.Eventually(m.t, "the old agent has its job", func() bool {
		old.work(finished)
		return len(finished) == 1
	})
	m.must(<-watched)
	if got := len(old.done); got != 1 {
		m.t.Errorf("got %d jobs on the old agent, want 1", got)
	}
	outputs, err := filepath.Glob(filepath.Join(machine, "job_*.mp4"))
	m.must(err)
	if len(outputs) == 0 {
		m.t.Error("got no output of the new agent")
	}
}

// toTLS executes the commands of the section: agent, masters, users.
func (m *migration) toTLS(a *migrated) {
	m.t.Helper()
	both := m.block("agent --master \"$TLS_URL")
	export, agent, _ := strings.Cut(both.commands, "\n")
	m.exports = append(m.exports, m.here(export))
	a.kill()
	a.program = m.background(a.dir, "\n"+agent, a.env...)
	m.registered("enc-01")
	for i := range m.masters {
		m.masters[i].kill()
		m.startMaster(i)
		testkit.Eventually(m.t, "all masters are healthy", func() bool {
			out, err := m.shell(m.dir, "MASTER_URL=$TLS_URL,$MASTER_URL\nffrtmp cluster status")
			return err == nil && strings.Contains(out, "3 of 3 voters healthy")
		})
	}
	m.healthy(m.block("export MASTER_URL=$TLS_URL"))
}
