package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// A program whose standard error is the journal gives each line its priority, so that journalctl -p err shows why a
// start failed.
func TestStart_JournalPriorities(t *testing.T) {
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for program, args := range map[string][]string{
		"master": {"--port", port, "--scheduler-interval", "5s"},
		"agent": {
			"--master", "https://127.0.0.1:1", "--generate-input=false", "--media-root", "/nonexistent",
			"--metrics-port", port,
		},
	} {
		t.Run(program, func(t *testing.T) {
			dir := t.TempDir()
			journal, err := os.Create(filepath.Join(t.TempDir(), "journal"))
			if err != nil {
				t.Fatal(err)
			}
			defer journal.Close()
			var stat syscall.Stat_t
			if err := syscall.Fstat(int(journal.Fd()), &stat); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(filepath.Join(shared.bin, program), args...)
			cmd.Dir, cmd.Stderr = dir, journal
			cmd.Env = []string{
				"PATH=" + os.Getenv("PATH"), key, fmt.Sprintf("JOURNAL_STREAM=%d:%d", stat.Dev, stat.Ino),
			}
			if err := cmd.Run(); cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("got %v, want exit status 1", err)
			}
			data, err := os.ReadFile(journal.Name())
			if err != nil {
				t.Fatal(err)
			}
			text := string(data)
			if !strings.Contains(text, "\n<3>"+program+": ") || !strings.HasPrefix(text, "<4>") {
				t.Errorf("got this, want a warning <4> first and the reason of the end as <3>:\n%s", text)
			}
			for line := range strings.Lines(text) {
				if !regexp.MustCompile(`^<[3-7]>`).MatchString(line) {
					t.Errorf("got line %q, want a priority", line)
				}
			}
			if found, err := os.ReadDir(dir); program == "master" && (err != nil || len(found) > 0) {
				t.Errorf("got files %v (%v) after a failed start, want none", found, err)
			}
		})
	}
}

// seedCertificates are the literal lines of v2.2's guide, whose questions are left unanswered.
const seedCertificates = `set -e
openssl genrsa -out ca.key 4096
openssl req -new -x509 -days 3650 -key ca.key -out ca.crt
openssl genrsa -out master.key 2048
openssl req -new -key master.key -out master.csr
openssl x509 -req -in master.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out master.crt -days 365
openssl genrsa -out agent.key 2048
openssl req -new -key agent.key -out agent.csr
openssl x509 -req -in agent.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out agent.crt -days 365
`

// The certificate of v2.2's guide has no names. The master says so at its start, with the command that fixes it; that
// command, run as it stands, does. The guide's agent certificate needs no names.
func TestStart_CertificateWithoutNames(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(script, []byte(seedCertificates), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := exec.Command("sh", "-c", "yes '' | sh "+script)
	lines.Dir = dir
	if out, err := lines.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	port := freePort(t)
	m := launch(t, dir, []string{key}, "master", "--port", port, "--metrics=false", "--tls", "--mtls",
		"--cert", "master.crt", "--key", "master.key", "--ca", "ca.crt")
	s := &site{t: t}
	s.eventually("the master listens", func() bool { return strings.Contains(m.output.String(), "listening on") })
	fix := regexp.MustCompile(`no subjectAltName.* fix="(master [^"]+)"`).FindStringSubmatch(m.output.String())
	if fix == nil {
		t.Fatalf("got no line about the certificate:\n%s", m.output)
	}
	list := func() (int, *testkit.Buffer) {
		p := launch(t, dir, []string{key}, "ffrtmp", "nodes", "list", "--master", "https://localhost:"+port,
			"--ca", "ca.crt", "--cert", "agent.crt", "--key", "agent.key")
		return p.status(t), p.output
	}
	if status, out := list(); status != 1 || !strings.Contains(out.String(), "no subjectAltName") {
		t.Errorf("got status %d, want 1 and the reason:\n%s", status, out)
	}
	words := strings.Fields(fix[1])
	if p := launch(t, dir, nil, words[0], words[1:]...); p.status(t) != 0 {
		t.Fatalf("%s: %s", fix[1], p.output)
	}
	s.eventually("the running master uses the new certificate", func() bool { status, _ := list(); return status == 0 })
}
