package e2e

import (
	"strings"
	"testing"
)

// v2.2's command lines start the programs. A flag that has no effect any more is answered with one line of the log.
func TestLegacyFlags_StartPrograms(t *testing.T) {
	dir := t.TempDir()
	m := launchMaster(t, dir, "-tls=false", "--tls=false", "--tracing", "--tracing-endpoint", "127.0.0.1:9",
		"--scheduler-interval", "5s", "--cleanup", "--cleanup-retention", "7", "--db-type", "postgres",
		"--db-dsn", "postgresql://user:secret@db/ffrtmp", "--log-level", "warning")
	warned(t, m.program, "--scheduler-interval", "--db-type", "--db-dsn")
	a := launch(t, dir, []string{key}, "agent", "-register", "--master", m.url, "--allow-master-as-worker",
		"--skip-confirmation", "--generate-input=false", "--enable-auto-attach", "--auto-attach-scan-interval", "3s",
		"--auto-attach-cpu-quota", "100", "--auto-attach-memory-limit", "512", "--metrics-port", freePort(t))
	s := &site{t: t}
	s.eventually("the node is registered with v2.2's label", func() bool {
		nodes := string(m.call(t, "GET", m.url+"/nodes", "").want(t, 200).body)
		return strings.Contains(nodes, `"master_as_worker":"true"`)
	})
	warned(t, a, "--generate-input", "--enable-auto-attach", "--auto-attach-scan-interval", "--auto-attach-cpu-quota",
		"--auto-attach-memory-limit")
}

// warned checks that a program answered these flags, and no others, with a line of its log.
func warned(t *testing.T, p *program, flags ...string) {
	t.Helper()
	text := p.output.String()
	for _, flag := range flags {
		if strings.Count(text, "flag of v2.2 has no effect: flag="+flag+" ") != 1 {
			t.Errorf("got no line or several for %s, want one:\n%s", flag, text)
		}
	}
	if n := strings.Count(text, "flag of v2.2"); n != len(flags) {
		t.Errorf("got %d lines, want %d:\n%s", n, len(flags), text)
	}
	if strings.Contains(text, "secret") {
		t.Errorf("got a password in the log:\n%s", text)
	}
}

// v2.2's commands without an equivalent exit 2 and name what replaces them.
func TestLegacyVerbs_NameTheReplacement(t *testing.T) {
	for args, want := range map[string]string{
		"run --job-id job-001 -- ffmpeg -i input.mp4 output.mp4": "ffrtmp jobs submit",
		"attach --pid 12345 --job-id job-001":                    "ffrtmp jobs submit",
		"watch --scan-interval 5s":                               "ffrtmp jobs watch",
		"config recommend --environment production -o bash":      "--max-concurrent-jobs",
	} {
		t.Run(args, func(t *testing.T) {
			p := launch(t, t.TempDir(), nil, "ffrtmp", strings.Fields(args)...)
			if status := p.status(t); status != 2 || !strings.Contains(p.output.String(), want) {
				t.Errorf("got status %d, output %q, want 2 and %q", status, p.output, want)
			}
		})
	}
}
