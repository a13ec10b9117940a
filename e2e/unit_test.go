package e2e

import (
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// A master gets several times an agent's share of CPU and disk.
func TestUnits_Weights(t *testing.T) {
	weight := func(unit, key string) int {
		values := units(t, unit)[0].values(key)
		if len(values) != 1 {
			t.Fatalf("%s: got %s %q, want one", unit, key, values)
		}
		n, err := strconv.Atoi(values[0])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, key := range []string{"CPUWeight", "IOWeight"} {
		if m, a := weight("ffmpeg-master.service", key), weight("ffmpeg-agent.service", key); m < 4*a {
			t.Errorf("%s: got %d for masters and %d for agents, want at least four times as much", key, m, a)
		}
	}
}

// installed is the programs' directory in the units of deploy/systemd.
const installed = "/opt/ffmpeg-rtmp/bin/"

// unit is a file of deploy/systemd.
type unit struct {
	path string
	text string
}

func units(t *testing.T, pattern string) []unit {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "deploy", "systemd", pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("got units %q (%v)", paths, err)
	}
	var list []unit
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, unit{path, string(data)})
	}
	return list
}

// values returns the values of a key, in order.
func (u unit) values(key string) []string {
	var list []string
	for line := range strings.Lines(u.text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			list = append(list, value)
		}
	}
	return list
}

// systemd-analyze verifies the units and rates them as hardened.
func TestUnits_VerifyAndHarden(t *testing.T) {
	s := &site{t: t}
	dir := t.TempDir()
	bin := s.install(filepath.Join(dir, "bin"))
	all := slices.DeleteFunc(units(t, "*.*"), func(u unit) bool { return filepath.Ext(u.path) == ".env" })
	for _, u := range all {
		text := strings.ReplaceAll(u.text, installed, bin+"/") // verify looks for the programs
		s.must(os.WriteFile(filepath.Join(dir, filepath.Base(u.path)), []byte(text), 0o600))
	}
	for _, u := range all {
		path := filepath.Join(dir, filepath.Base(u.path))
		if out, err := exec.Command("systemd-analyze", "verify", path).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", u.path, err, out)
		}
		if filepath.Ext(path) != ".service" {
			continue
		}
		// The threshold is in tenths.
		security := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager", path)
		if out, err := security.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", u.path, err, out)
		}
	}
}

// install links the programs and scripts into bin, as docs/operations.md installs them.
func (s *site) install(bin string) string {
	s.t.Helper()
	s.must(os.Mkdir(bin, 0o700))
	for _, from := range []string{shared.bin, filepath.Join("..", "deploy", "systemd")} {
		entries, err := os.ReadDir(from)
		s.must(err)
		from, err = filepath.Abs(from)
		s.must(err)
		for _, e := range entries {
			if filepath.Ext(e.Name()) == "" {
				s.must(os.Symlink(filepath.Join(from, e.Name()), filepath.Join(bin, e.Name())))
			}
		}
	}
	return bin
}

// The programs start with the settings of the units and the example env files.
func TestUnits_StartPrograms(t *testing.T) {
	s := &site{t: t}
	root := t.TempDir()
	dirs := []string{"etc/ffmpeg-rtmp/certs", "var/lib/ffmpeg-rtmp", "var/lib/ffmpeg-rtmp-agent", "srv/media"}
	for _, dir := range dirs {
		s.must(os.MkdirAll(filepath.Join(root, dir), 0o700))
	}
	s.must(os.WriteFile(filepath.Join(root, "api-key"), []byte("a key of the test\n"), 0o600)) // systemd's copy of it
	api, masterMetrics, agentMetrics := freePort(t), freePort(t), freePort(t)
	for _, p := range []struct {
		name, ready string
		env         map[string]string
	}{
		{"master", masterMetrics + "/health", map[string]string{
			"FFRTMP_PORT": api, "FFRTMP_METRICS_PORT": masterMetrics,
		}},
		{"agent", agentMetrics + "/ready", map[string]string{
			"FFRTMP_MASTER": "https://localhost:" + api, "FFRTMP_METRICS_PORT": agentMetrics,
		}},
	} {
		u := units(t, "ffmpeg-"+p.name+".service")[0]
		settings := environment(u.values("Environment"))
		example, err := os.ReadFile(filepath.Join("..", "deploy", "systemd", p.name+".env"))
		s.must(err)
		maps.Copy(settings, environment(strings.Split(string(example), "\n")))
		maps.Copy(settings, p.env)
		var env []string
		for name, value := range settings {
			if strings.HasPrefix(value, "/") {
				value = root + value
			}
			env = append(env, name+"="+value)
		}
		command := strings.Fields(strings.ReplaceAll(u.values("ExecStart")[0], "${CREDENTIALS_DIRECTORY}", root))
		if command[0] != installed+p.name {
			t.Errorf("%s: got command %s, want %s", u.path, command[0], installed+p.name)
		}
		running := launch(t, root, env, p.name, command[1:]...)
		s.eventually(p.name+" is ready", func() bool {
			select {
			case <-running.ended:
				t.Fatalf("%s exited", p.name)
			default:
			}
			response, err := http.Get("http://127.0.0.1:" + p.ready)
			if err != nil {
				return false
			}
			response.Body.Close()
			return response.StatusCode == http.StatusOK
		})
		if p.name == "master" {
			made := filepath.Join(root, "var/lib/ffmpeg-rtmp/certs/master.crt")
			s.must(os.Link(made, filepath.Join(root, "etc/ffmpeg-rtmp/certs/ca.crt")))
		}
	}
}

// confined runs a command in a mount namespace: below the directory $1 as root directory, which is read-only but for
// $2, as ProtectSystem=strict and StateDirectory= make it.
const confined = `set -eu
mount --bind "$1" "$1"
mount --bind "$1$2" "$1$2"
mount --rbind /proc "$1/proc"
mount -o remount,bind,ro "$1"
root=$1
shift 2
exec chroot "$root" "$@"`

// The master's unit needs no prepared certificate: the master makes one where the unit lets it write, and nowhere else.
func TestUnits_MasterMakesCertificate(t *testing.T) {
	s := &site{t: t}
	u := units(t, "ffmpeg-master.service")[0]
	if got := u.values("ProtectSystem"); !slices.Equal(got, []string{"strict"}) || len(u.values("ReadWritePaths")) > 0 {
		t.Fatalf("got ProtectSystem=%q, want strict without ReadWritePaths=: the test shows no more", got)
	}
	state := "/var/lib/" + u.values("StateDirectory")[0]
	root := t.TempDir()
	for _, dir := range []string{installed, state, "/proc", "/run/credentials"} {
		s.must(os.MkdirAll(filepath.Join(root, dir), 0o700))
	}
	s.must(os.WriteFile(filepath.Join(root, "run/credentials/api-key"), []byte("a key of the test\n"), 0o600))
	program, err := os.ReadFile(filepath.Join(shared.bin, "master"))
	s.must(err)
	s.must(os.WriteFile(filepath.Join(root, installed, "master"), program, 0o700))
	metrics := freePort(t)
	run := func(extra ...string) (*exec.Cmd, *testkit.Buffer) {
		args := []string{"--mount", "sh", "-c", confined, "sh", root, state}
		if exec.Command("unshare", "--mount", "true").Run() != nil {
			args = slices.Insert(args, 1, "--user", "--map-root-user")
		}
		command := strings.ReplaceAll(u.values("ExecStart")[0], "${CREDENTIALS_DIRECTORY}", "/run/credentials")
		cmd, output := exec.Command("unshare", append(args, strings.Fields(command)...)...), &testkit.Buffer{}
		cmd.Stdout, cmd.Stderr = output, output
		cmd.Env = append(os.Environ(), "FFRTMP_PORT="+freePort(t), "FFRTMP_METRICS_PORT="+metrics)
		cmd.Env = append(append(cmd.Env, u.values("Environment")...), extra...)
		return cmd, output
	}
	refused, output := run("FFRTMP_CERT=/etc/certs/master.crt", "FFRTMP_KEY=/etc/certs/master.key")
	if err := refused.Run(); err == nil || !strings.Contains(output.String(), "read-only file system") {
		t.Errorf("outside the state directory: got %v, want a read-only file system:\n%s", err, output)
	}
	master, output := run()
	s.must(master.Start())
	t.Cleanup(func() {
		_ = master.Process.Kill()
		_ = master.Wait()
		if t.Failed() {
			t.Logf("master: %s", output)
		}
	})
	s.eventually("the master is healthy", func() bool {
		response, err := http.Get("http://127.0.0.1:" + metrics + "/health")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	for _, name := range []string{"master.crt", "master.key"} {
		if _, err := os.Stat(filepath.Join(root, state, "certs", name)); err != nil {
			t.Error(err)
		}
	}
}

// Every setting in the example env files exists, commented ones included.
func TestUnits_ExampleSettings(t *testing.T) {
	s := &site{t: t}
	for _, name := range []string{"master", "agent"} {
		example, err := os.ReadFile(filepath.Join("..", "deploy", "systemd", name+".env"))
		s.must(err)
		settings := environment(strings.Split(strings.ReplaceAll(string(example), "\n#FFRTMP_", "\nFFRTMP_"), "\n"))
		if len(settings) < 4 {
			t.Errorf("%s.env: got %d settings, want at least 4", name, len(settings))
		}
		checkSettings(t, name, settings)
	}
}

// checkSettings checks that a program accepts the settings.
func checkSettings(t *testing.T, name string, settings map[string]string) {
	t.Helper()
	help := launch(t, t.TempDir(), nil, name, "--help")
	help.status(t)
	var env []string
	for _, setting := range slices.Sorted(maps.Keys(settings)) {
		env = append(env, setting+"="+settings[setting])
		flag := "--" + strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(setting, "FFRTMP_")), "_", "-") + " "
		if !strings.Contains(help.output.String(), flag) {
			t.Errorf("%s: no flag for %s", name, setting)
		}
	}
	if p := launch(t, t.TempDir(), env, name, "--version"); p.status(t) != 0 {
		t.Errorf("%s: values refused: %s", name, p.output)
	}
}

// environment parses lines of NAME=value.
func environment(lines []string) map[string]string {
	found := map[string]string{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, "=")
		if ok && strings.HasPrefix(name, "FFRTMP_") {
			found[name] = value
		}
	}
	return found
}
