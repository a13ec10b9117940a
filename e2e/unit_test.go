package e2e

import (
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

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
	etc := filepath.Join(root, "etc/ffmpeg-rtmp")
	certFlags := []string{"--generate-cert", "--cert", etc + "/certs/master.crt", "--key", etc + "/certs/master.key"}
	if status := launch(t, root, nil, "master", certFlags...).status(t); status != 0 {
		t.Fatalf("--generate-cert: got status %d, want 0", status)
	}
	s.must(os.Link(etc+"/certs/master.crt", etc+"/certs/ca.crt"))
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
