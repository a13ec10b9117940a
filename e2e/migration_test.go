package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// migration executes docs/migration-from-v2.2.md: the commands in its bash blocks, as they stand. Only hosts, ports and
// absolute paths are replaced, because all masters run on one machine, and the id that the reader fills in.
type migration struct {
	t       *testing.T
	blocks  []guideBlock
	dir     string // the machine with the CA's key, where users work
	ports   [3]masterPorts
	masters [3]*program
	dirs    [3]string // of the masters
	exports []string  // of the blocks so far
}

type masterPorts struct{ api, peer, gossip, metrics string }

// guideBlock is a block of commands, and what the guide shows as their output.
type guideBlock struct{ commands, output string }

var fenced = regexp.MustCompile("(?s)```bash\n(.*?)```\n(?:```\n(.*?)```\n)?")

func newMigration(t *testing.T) *migration {
	t.Helper()
	m := &migration{t: t, dir: t.TempDir()}
	text, err := os.ReadFile("../docs/migration-from-v2.2.md")
	m.must(err)
	for _, block := range fenced.FindAllStringSubmatch(string(text), -1) {
		m.blocks = append(m.blocks, guideBlock{strings.ReplaceAll(block[1], "\\\n", ""), block[2]})
	}
	for i := range m.ports {
		m.ports[i] = masterPorts{freePort(t), freePort(t), freePort(t), freePort(t)}
	}
	for file, as := range map[string]string{"nodes.csv": "exported-nodes.csv", "jobs.csv": "exported-jobs.csv"} {
		data, err := os.ReadFile(filepath.Join("testdata", "v22", file))
		m.must(err)
		m.must(os.WriteFile(filepath.Join(m.dir, as), data, 0o600))
	}
	script, err := os.Open(filepath.Join("testdata", "v22", "master.sql"))
	m.must(err)
	defer script.Close()
	cmd := exec.Command("sqlite3", filepath.Join(m.dir, "master.db"))
	cmd.Stdin = script
	out, err := cmd.CombinedOutput()
	m.must(err, string(out))
	return m
}

func (m *migration) must(err error, about ...string) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err, about)
	}
}

// block returns the commands of the block that has some text.
func (m *migration) block(text string) guideBlock {
	m.t.Helper()
	for _, b := range m.blocks {
		if strings.Contains(b.commands, text) {
			return b
		}
	}
	m.t.Fatalf("the guide has no block with %q", text)
	return guideBlock{}
}

// here replaces what is different on this machine.
func (m *migration) here(commands string) string {
	pairs := []string{
		"10.0.0.$n", "127.0.0.1", "10.0.0.1", "127.0.0.1", "/var/lib/ffrtmp/", "", "/srv/media", ".",
		"ID-OF-THE-OLD-ONE", "c24161b8-833c-4fd1-add0-ecd232af3bcb",
		"MASTER_API_KEY=...", key,
	}
	for i, p := range m.ports {
		host := fmt.Sprintf("master-%d.example.org", i+1)
		pairs = append(pairs, host+":8080", "127.0.0.1:"+p.api, host+":7946", "127.0.0.1:"+p.gossip)
	}
	return strings.NewReplacer(pairs...).Replace(commands)
}

// shell runs a command line in a directory and returns what it prints.
func (m *migration) shell(dir, line string, env ...string) (string, error) {
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", strings.Join(append(m.exports, m.here(line)), "\n"))
	cmd.Dir, cmd.Env = dir, append([]string{"PATH=" + shared.bin + ":" + os.Getenv("PATH"), "HOME=" + dir, key}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run runs the commands of a block where users work.
func (m *migration) run(b guideBlock, env ...string) string {
	m.t.Helper()
	out, err := m.shell(m.dir, b.commands, env...)
	m.must(err, b.commands, out)
	if b.output != "" && !strings.Contains(out, b.output) {
		m.t.Errorf("%s\ngot\n%s\nwant\n%s", b.commands, out, b.output)
	}
	return out
}

// background runs a command line in a directory until the test ends.
func (m *migration) background(dir, line string, env ...string) *program {
	m.t.Helper()
	for _, name := range []string{"master", "agent"} {
		line = strings.Replace(line, "\n"+name+" ", "\nexec "+name+" ", 1)
	}
	script := filepath.Join(m.t.TempDir(), "run")
	m.must(writeProgram(script, "#!/bin/sh\n"+strings.Join(m.exports, "\n")+"\n"+m.here(line)))
	env = append([]string{"PATH=" + shared.bin + ":" + os.Getenv("PATH")}, env...)
	return launchFile(m.t, dir, env, "/bin/sh", script)
}

// copyTo copies files to another machine.
func (m *migration) copyTo(dir string, files ...string) {
	m.t.Helper()
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(m.dir, file))
		m.must(err)
		m.must(os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o700))
		m.must(os.WriteFile(filepath.Join(dir, file), data, 0o600))
	}
}

// startMasters starts the three masters on machines of their own.
func (m *migration) startMasters(args ...string) {
	m.t.Helper()
	for i := range m.ports {
		m.dirs[i] = m.t.TempDir()
		pair := fmt.Sprintf("certs/master-%d", i+1)
		m.copyTo(m.dirs[i], "certs/ca.crt", pair+".crt", pair+".key", "gossip.key")
		m.startMaster(i, args...)
	}
}

// startMaster starts a master with the guide's command line and more arguments.
func (m *migration) startMaster(i int, args ...string) {
	m.t.Helper()
	own := fmt.Sprintf("certs/master-%d.", i+1)
	line := strings.ReplaceAll(m.block("--bootstrap-expect").commands, "certs/master-1.", own)
	if len(args) > 0 {
		line = strings.TrimSpace(line) + " " + strings.Join(args, " ") + "\n"
	}
	p := m.ports[i]
	m.masters[i] = m.background(m.dirs[i], line, "FFRTMP_BIND=127.0.0.1", "FFRTMP_PORT="+p.api,
		"FFRTMP_PEER_PORT="+p.peer, "FFRTMP_GOSSIP_PORT="+p.gossip, "FFRTMP_METRICS_PORT="+p.metrics)
}

// healthy executes a block that sets MASTER_URL and shows the cluster's status, until it shows what the guide does.
func (m *migration) healthy(b guideBlock) {
	m.t.Helper()
	export, status, _ := strings.Cut(b.commands, "\n")
	m.exports = append(m.exports, m.here(export))
	_, want, _ := strings.Cut(status, "# ")
	testkit.Eventually(m.t, "the cluster is healthy", func() bool {
		out, err := m.shell(m.dir, status)
		return err == nil && strings.Contains(words(out), words(want))
	})
}

// The commands of the migration guide work as they stand, in its order.
func TestMigration_Guide(t *testing.T) {
	m := newMigration(t)
	m.run(m.block("ffrtmp certs init"))
	m.startMasters()

	m.healthy(m.block("export MASTER_URL=https://"))

	stub := filepath.Join(t.TempDir(), "psql")
	m.must(writeProgram(stub, `#!/bin/sh
[ "$1 $2 $4" = "dsn -c -c" ] || exit 1
[ "$3" = '\copy nodes TO nodes.csv CSV HEADER' ] && mv exported-nodes.csv nodes.csv || exit 1
[ "$5" = '\copy jobs TO jobs.csv CSV HEADER' ] && mv exported-jobs.csv jobs.csv
`))
	postgres := m.run(m.block("psql"), "DSN=dsn", "PATH="+filepath.Dir(stub)+":"+shared.bin+":"+os.Getenv("PATH"))
	if !strings.Contains(postgres, "16 rows to import") {
		t.Errorf("PostgreSQL: got %s, want 16 rows", postgres)
	}
	m.run(m.block("import --from master.db --dry-run"))
	m.run(m.block("import --from master.db\n"))

	m.replaceAgent(m.block("nodes drain enc-01"))
}

// replaceAgent executes the commands of section 4: what follows the agent's line, when it has started.
func (m *migration) replaceAgent(b guideBlock) {
	m.t.Helper()
	before, rest, _ := strings.Cut(b.commands, "\nagent ")
	agent, after, _ := strings.Cut(rest, "\n")
	m.run(guideBlock{commands: before})
	machine := m.t.TempDir()
	m.copyTo(machine, "certs/ca.crt")
	idle := filepath.Join(m.t.TempDir(), "ffmpeg") // without encoders: it gets none of the imported jobs
	m.must(writeProgram(idle, "#!/bin/sh\necho ffmpeg\n"))
	m.background(machine, "\nagent "+agent, key, "FFRTMP_FFMPEG="+idle, "FFRTMP_METRICS_PORT="+freePort(m.t),
		"HOME="+machine)
	testkit.Eventually(m.t, "two nodes are called enc-01", func() bool {
		out, err := m.shell(m.dir, "ffrtmp nodes list")
		return err == nil && called(out, "enc-01") == 2
	})
	m.run(guideBlock{commands: after})
	out, err := m.shell(m.dir, "ffrtmp nodes list")
	m.must(err)
	if called(out, "enc-01") != 1 || strings.Contains(out, "c24161b8") {
		m.t.Errorf("got nodes\n%s\nwant the new enc-01", out)
	}
}

// words returns text with single spaces.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }

// called counts the lines that have a name.
func called(table, name string) (count int) {
	for line := range strings.Lines(table) {
		if strings.Contains(line, name) {
			count++
		}
	}
	return count
}

// writeProgram writes a script that can be executed at once: no child that starts meanwhile holds it open.
func writeProgram(path, script string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, []byte(script), 0o700)
}
