package main

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// A usage error is one line that says what to write instead.
func TestUsageErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"unknown command", []string{"jbos"}, "did you mean jobs?"},
		{"unknown subcommand", []string{"jobs", "sumbit"}, "did you mean submit?"},
		{"unknown subcommand with flags", []string{"jobs", "destroy", "--now"}, "use one of cancel, explain"},
		{"unknown flag", []string{"jobs", "list", "--stauts", "failed"}, "did you mean --status?"},
		{"unknown flag of a group", []string{"--bogus"}, "unknown flag --bogus"},
		{"leftover argument", []string{"nodes", "list", "agent-1"}, `unexpected argument "agent-1"`},
		{"missing argument", []string{"jobs", "watch"}, "JOB is missing"},
		{"unknown state", []string{"jobs", "list", "--status", "done"}, "pending, running, paused"},
		{"unknown format", []string{"nodes", "list", "-o", "yaml"}, "must be one of table, json"},
		{"no scenario", []string{"jobs", "submit"}, "is required, for example"},
		{"unknown scenario", []string{"jobs", "submit", "--scenario", "9K"}, "use [live-]SIZE[FPS][-CODEC]"},
		{
			"unknown parameter",
			[]string{"jobs", "submit", "--scenario", "720p", "--param", "colour=red"},
			"parameters.colour: unknown field",
		},
		{"bad time", []string{"jobs", "submit", "--scenario", "720p", "--duration", "long"}, "or a time such as 1m30s"},
		{
			"unknown state among others",
			[]string{"jobs", "list", "--status", "failed,done"},
			"one or more of pending, running",
		},
		{"no time", []string{"jobs", "list", "--created-after", "soon"}, "must be a time such as"},
		{"unknown sort", []string{"jobs", "list", "--sort", "name"}, "created, priority, progress"},
		{"bad limit", []string{"jobs", "list", "--limit", "0"}, "--limit: must be between 1 and 10000"},
		{"bad number", []string{"jobs", "submit", "--scenario", "720p", "--fps", "fast"}, "must be a number"},
		{
			"output for output-file",
			[]string{"jobs", "submit", "--scenario", "720p", "-o", "a.mp4"},
			"--output: \"a.mp4\" is invalid: must be one of table, json; the job's file is --output-file",
		},
		{"bad address", []string{"certs", "issue", "--name", "a", "--ip", "foo"}, `--ip: "foo" is not an IP address`},
		{
			"output without extension",
			[]string{"jobs", "submit", "--scenario", "720p", "--output-file", "yaml"},
			"must end in one of",
		},
		{
			"file and flags",
			[]string{"jobs", "submit", "--file", "-", "--scenario", "720p"},
			"--file and --scenario exclude each other",
		},
		{"missing file", []string{"jobs", "submit", "--file", "/does/not/exist"}, "no such file"},
		{"priority nothing", []string{"jobs", "priority"}, "PRIORITY is missing"},
		{"priority unknown", []string{"jobs", "priority", "urgent", "12"}, "must be one of high, medium, low"},
		{"priority of no job", []string{"jobs", "priority", "low"}, "select them with a filter"},
		{"retry both", []string{"jobs", "retry", "1", "--status", "failed"}, "not both"},
		{"dry run of names", []string{"jobs", "pause", "1", "--dry-run"}, "select the jobs with filters"},
		{
			"dry run with watch",
			[]string{"jobs", "submit", "--scenario", "720p", "--dry-run", "--watch"},
			"does not go with",
		},
		{"node without dry run", []string{"jobs", "submit", "--scenario", "720p", "--node", "a"}, "requires --dry-run"},
		{"cancel nothing", []string{"jobs", "cancel"}, "select them with a filter"},
		{"cancel both", []string{"jobs", "cancel", "1", "--queue", "batch"}, "not both"},
		{"bad master", []string{"nodes", "list", "--master", "ftp://x"}, "not http or https"},
		{"certificate without key", []string{"nodes", "list", "--cert", "a.crt"}, "--cert and --key go together"},
		{"key and key file", []string{"nodes", "list", "--api-key", "a", "--api-key-file", "b"}, "leave one out"},
		{"missing key file", []string{"nodes", "list", "--api-key-file", "/does/not/exist"}, "no such file"},
		{"follow as JSON", []string{"jobs", "logs", "1", "--follow", "-o", "json"}, "leave out --output json"},
		{"no clients", []string{"bench", "--clients", "0"}, "between 1 and"},
		{"name of a certificate", []string{"certs", "issue", "--name", "../x"}, "use a name such as master-1"},
		{"days", []string{"certs", "init", "--days", "0"}, "positive number of days"},
		{"no masters", []string{"dev", "--masters", "0"}, "must be 1 to 9"},
		{"help of nothing", []string{"help", "jbos"}, "did you mean jobs?"},
		{"help of no verb", []string{"help", "jobs", "sumbit"}, "did you mean submit?"},
		{
			"key without scope",
			[]string{"keys", "create", "ci"},
			"--scope is missing: name one or more of admin, submit, read, agent",
		},
		{"unknown scope", []string{"keys", "create", "ci", "--scope", "root"}, "use admin, submit, read or agent"},
		{
			"bad expiry",
			[]string{"keys", "create", "ci", "--scope", "read", "--expires", "soon"},
			"such as 90d or 12h, or a date",
		},
		{
			"past expiry",
			[]string{"keys", "create", "ci", "--scope", "read", "--expires", "2001-01-31"},
			"is in the past",
		},
		{"a whole key", []string{"keys", "revoke", "0123456789abcdef.secret"}, "revoke it as 0123456789abcdef"},
		{"past deadline", []string{"nodes", "drain", "n", "--deadline", "-1s"}, "--deadline: must be between 0 and"},
		{"audit limit", []string{"audit", "--limit", "0"}, "between 1 and 10000"},
		{"unknown shell", []string{"completion", "elvish"}, "use one of bash, fish"},
		{"v2.2's run", []string{"run", "--job-id", "a", "--", "ffmpeg", "-i", "x"}, "ffrtmp jobs submit"},
		{"v2.2's attach", []string{"attach", "--pid", "12345", "--cpu-weight", "50"}, "ffrtmp jobs submit"},
		{"v2.2's watch", []string{"watch", "--scan-interval", "5s", "--cpu-quota=150"}, "ffrtmp jobs watch JOB"},
		{"v2.2's config recommend", []string{"config", "recommend", "-e", "production"}, "--max-concurrent-jobs"},
		{"v2.2's verb after a global flag", []string{"--master", "https://m:1", "run", "x"}, "ffrtmp jobs submit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := invoke(t, nil, "", c.args...)
			if r.code != exitUsage {
				t.Errorf("got exit code %d, want %d", r.code, exitUsage)
			}
			if strings.Count(r.err, "\n") != 1 || r.out != "" {
				t.Errorf("got error %q and output %q, want one line of error", r.err, r.out)
			}
			mustContain(t, "the error", r.err, c.want)
		})
	}
}

// Version and help are printed without a master.
func TestHelp(t *testing.T) {
	for _, args := range []string{"--version", "version"} {
		r := invoke(t, nil, "", args)
		if r.code != exitDone || !strings.HasPrefix(r.out, "ffrtmp ") || !strings.Contains(r.out, "commit") {
			t.Errorf("%s: got code %d and %q, want version and commit", args, r.code, r.out)
		}
	}
	if r := invoke(t, nil, "", "version", "-o", "json"); !strings.Contains(r.out, `"version"`) {
		t.Errorf("version -o json: got %q, want a document", r.out)
	}
	for _, args := range [][]string{{}, {"jobs"}, {"jobs", "submit", "--help"}, {"help", "jobs", "submit"}} {
		if r := invoke(t, nil, "", args...); r.code != exitDone || !strings.Contains(r.out, "Usage:") {
			t.Errorf("%q: got code %d, %q, want help", args, r.code, r.out)
		}
	}
}

// The exit code tells refusals, usage errors and unknown outcomes apart.
func TestExitCodes(t *testing.T) {
	m := newFakeMaster(t)
	m.handle("GET /jobs/1", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusUnauthorized, ffrtmp.Unauthenticated, "the API key is not known")
	})
	m.handle("POST /jobs/1/pause", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusConflict, ffrtmp.Conflict, "cannot pause job "+jobID+": it is completed")
	})
	m.handle("POST /jobs/3/pause", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusServiceUnavailable, ffrtmp.NoLeader, "no leader is known")
	})
	m.handle("DELETE /nodes/"+nodeID, func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusForbidden, ffrtmp.Forbidden, "this needs a key with the scope admin; this one has read")
	})
	m.answer("POST /jobs/2/pause", http.StatusOK, map[string]string{})
	m.handle("POST /jobs", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusGatewayTimeout, ffrtmp.UnknownOutcome, "leadership was lost")
	})
	for _, c := range []struct {
		name string
		args []string
		code int
		err  []string
	}{
		{
			"refused key",
			[]string{"jobs", "status", "1"},
			exitFailed,
			[]string{"the API key is not known", "MASTER_API_KEY"},
		},
		{
			"missing scope",
			[]string{"nodes", "remove", nodeID},
			exitFailed,
			[]string{"the scope admin; this one has read", "ffrtmp keys create"},
		},
		{"not found", []string{"jobs", "status", "99"}, exitFailed, []string{"show job 99: no such thing"}},
		{
			"conflict",
			[]string{"jobs", "pause", "1"},
			exitFailed,
			[]string{"ffrtmp: cannot pause job " + jobID + ": it is completed\n"},
		},
		{"one of several", []string{"jobs", "pause", "1", "2"}, exitFailed, []string{"job 1: cannot pause job "}},
		{"unknown node", []string{"nodes", "describe", "nobody"}, exitFailed, []string{"describe node nobody"}},
		{
			"no master",
			[]string{"nodes", "list", "--master", "https://127.0.0.1:1", "--master", "https://127.0.0.2:1"},
			exitFailed,
			[]string{"https://127.0.0.1:1", "https://127.0.0.2:1", "connection refused", "Check that a master runs"},
		},
		{
			"no leader",
			[]string{"jobs", "pause", "3"},
			exitFailed,
			[]string{"no leader is known", "a majority must run"},
		},
		{"unknown authority", []string{"nodes", "list", "--ca", ""}, exitFailed, []string{"--ca FILE"}},
		{
			"outcome unknown",
			[]string{"jobs", "submit", "--scenario", "720p", "--idempotency-key", "k1"},
			exitUnknown,
			[]string{"outcome of POST /jobs is unknown", "--idempotency-key k1"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := m.run(t, c.args...)
			if r.code != c.code {
				t.Errorf("got exit code %d, want %d", r.code, c.code)
			}
			mustContain(t, "the error", r.err, c.err...)
		})
	}
}

// Settings come from flags, then the environment, then the configuration file.
func TestSettings_Precedence(t *testing.T) {
	m := newFakeMaster(t)
	m.answer("GET /nodes", http.StatusOK, ffrtmp.NodeList{})
	home := t.TempDir()
	write := func(name, content string) string {
		name = filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	write(".ffrtmp/config.yaml", "master: ["+m.server.URL+"]\nca: "+m.ca+"\napi-key: from-config\n")
	old := write("v22.yaml", "master_url: "+m.server.URL+"\ntoken: 0123\nca: "+m.ca+"\n")
	key := write("key", "from-file\n")
	for _, c := range []struct {
		name string
		env  []string
		args []string
		want string
	}{
		{"file", nil, nil, "Bearer from-config"},
		{"environment", []string{"MASTER_API_KEY=from-env"}, nil, "Bearer from-env"},
		{"own name first", []string{"MASTER_API_KEY=other", "FFRTMP_API_KEY=from-env"}, nil, "Bearer from-env"},
		{"v2.2's environment", []string{"FFMPEG_RTMP_API_KEY=from-env"}, nil, "Bearer from-env"},
		{"flag", []string{"MASTER_API_KEY=from-env"}, []string{"--api-key", "from-flag"}, "Bearer from-flag"},
		{
			"key file by flag beats a key by environment",
			[]string{"MASTER_API_KEY=from-env"},
			[]string{"--api-key-file", key},
			"Bearer from-file",
		},
		{
			"key by flag beats a key file by environment",
			[]string{"FFRTMP_API_KEY_FILE=" + key},
			[]string{"--api-key", "from-flag"},
			"Bearer from-flag",
		},
		{
			"key file by environment beats a key by file",
			[]string{"FFRTMP_API_KEY_FILE=" + key},
			nil,
			"Bearer from-file",
		},
		{"v2.2's keys", nil, []string{"--config", old}, "Bearer 0123"},
		{"file named by environment", []string{"FFRTMP_CONFIG=" + old}, nil, "Bearer 0123"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := invoke(t, append(c.env, "HOME="+home), "", append([]string{"nodes", "list"}, c.args...)...)
			seen := m.seen("GET /nodes")
			if r.code != exitDone || len(seen) == 0 || seen[len(seen)-1].key != c.want {
				t.Errorf("got code %d, %q, requests %v, want key %s", r.code, r.err, seen, c.want)
			}
		})
	}
	t.Run("output by environment and flag", func(t *testing.T) {
		env := []string{"HOME=" + home, "FFRTMP_OUTPUT=json"}
		if r := invoke(t, env, "", "nodes", "list"); !strings.HasPrefix(r.out, "{") {
			t.Errorf("got %q, want JSON", r.out)
		}
		if r := invoke(t, env, "", "nodes", "list", "--output=table"); r.out != "No nodes.\n" {
			t.Errorf("got %q, want the text of an empty list", r.out)
		}
	})
	for name, content := range map[string]string{
		"unknown key": "masters: x\n", "no YAML": "a: b: c\n", "wrong kind": "ca: {a: b}\n",
		"bad value": "output: xml\n",
	} {
		t.Run(name, func(t *testing.T) {
			file := write("bad.yaml", content)
			r := invoke(t, nil, "", "nodes", "list", "--config", file)
			if r.code != exitUsage || !strings.Contains(r.err, file) {
				t.Errorf("got code %d, %q, want %d and the name of the file", r.code, r.err, exitUsage)
			}
		})
	}
}

// The shell offers commands and the fixed values of flags.
func TestCompletion(t *testing.T) {
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"jobs", ""}, []string{"submit", "list", "watch", "explain"}},
		{[]string{"help", "jobs", ""}, []string{"submit", "list", "watch", "explain"}},
		{[]string{"jobs", "list", "--status", ""}, []string{
			"pending", "running", "paused", "completed", "failed",
			"canceled",
		}},
		{[]string{"jobs", "submit", "--queue", ""}, []string{"live", "default", "batch"}},
		{[]string{"nodes", "list", "--output", ""}, []string{"table", "json"}},
		{[]string{"keys", "create", "ci", "--scope", ""}, []string{"admin", "submit", "read", "agent"}},
		{[]string{"certs", "issue", "--role", ""}, []string{"master", "agent"}},
	} {
		offered := offers(invoke(t, nil, "", append([]string{"__complete"}, c.args...)...))
		for _, want := range c.want {
			if !slices.Contains(offered, want) {
				t.Errorf("%q: got words %q, want %s among them", c.args, offered, want)
			}
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := invoke(t, nil, "", "completion", shell); r.code != exitDone || !strings.Contains(r.out, "__complete") {
			t.Errorf("completion %s: got code %d, %d bytes, want a script", shell, r.code, len(r.out))
		}
	}
}

// offers are the words that a completion offers.
func offers(r result) []string {
	var words []string
	for line := range strings.Lines(r.out) {
		if word, _, _ := strings.Cut(strings.TrimSpace(line), "\t"); !strings.HasPrefix(word, ":") {
			words = append(words, word)
		}
	}
	return words
}

// The shell offers nodes, and the jobs that an action is allowed on, from the masters that the typed line names.
func TestCompletion_Live(t *testing.T) {
	m := newFakeMaster(t)
	m.answer("GET /jobs", http.StatusOK, ffrtmp.List{Jobs: sampleJobs(), Count: 3})
	twins := []ffrtmp.Node{
		sampleNode(),
		{ID: "n2", Machine: ffrtmp.Machine{Name: "old"}},
		{ID: "n3", Machine: ffrtmp.Machine{Name: "old"}},
		{ID: "n4", Machine: ffrtmp.Machine{Name: "two words"}},
	}
	m.answer("GET /nodes", http.StatusOK, ffrtmp.NodeList{Nodes: twins, Count: 4})
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"jobs", "watch"}, []string{"13", "12", "9"}},
		{[]string{"jobs", "watch", "12"}, nil},
		{[]string{"jobs", "pause"}, []string{"13", "12"}},
		{[]string{"jobs", "pause", "13"}, []string{"12"}},
		{[]string{"jobs", "retry"}, []string{"9"}},
		{[]string{"jobs", "cancel"}, []string{"13", "12"}},
		{[]string{"nodes", "describe"}, []string{"agent-1", "n2", "n3", "n4"}},
		{[]string{"nodes", "remove", "agent-1"}, nil},
		{[]string{"jobs", "list", "--node"}, []string{"agent-1", "n2", "n3", "n4"}},
	} {
		args := append([]string{"__complete"}, c.args...)
		if got := offers(m.run(t, append(args, "")...)); !slices.Equal(got, c.want) {
			t.Errorf("%q: got words %q, want %q", c.args, got, c.want)
		}
	}
	line := []string{"__complete", "jobs", "watch", "--master", m.server.URL, "--ca", m.ca, "--api-key", "typed", ""}
	if got := offers(invoke(t, []string{"MASTER_URL=https://127.0.0.1:1"}, "", line...)); len(got) != 3 {
		t.Errorf("settings on the line: got words %q, want 3", got)
	}
	if seen := m.seen("GET /jobs"); seen[len(seen)-1].key != "Bearer typed" {
		t.Errorf("got key %q, want the typed one", seen[len(seen)-1].key)
	}
	line[4] = "https://127.0.0.1:1"
	if r := invoke(t, nil, "", line...); r.code != exitDone || len(offers(r)) > 0 ||
		strings.Contains(r.err, "refused") {
		t.Errorf("without a master: got code %d, %q, %q, want no words and no error", r.code, r.out, r.err)
	}
}
