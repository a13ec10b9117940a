package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The compose file uses known settings and existing secrets; only init sees the CA key.
func TestCompose_SettingsAndSecrets(t *testing.T) {
	s := &site{t: t}
	dir := filepath.Join("..", "deploy", "docker")
	secrets := t.TempDir()
	for _, name := range []string{"ca", "master", "agent"} {
		s.must(os.Mkdir(filepath.Join(secrets, name), 0o700))
	}
	script, err := os.ReadFile(filepath.Join(dir, "init.sh"))
	s.must(err)
	// Run it in another directory, as any user.
	moved := strings.NewReplacer("cd /secrets", "cd "+secrets, "chown -R 65532:65532", ": chown").
		Replace(string(script))
	made := func() string {
		cmd := exec.Command("sh", "-c", moved)
		cmd.Env = append(os.Environ(), "PATH="+shared.bin+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("init.sh: %v\n%s", err, out)
		}
		key, err := os.ReadFile(filepath.Join(secrets, "agent", "api-key"))
		s.must(err)
		return string(key)
	}
	if first, again := made(), made(); first != again || len(first) < 40 {
		t.Errorf("got API key %q, want %q: it is created once", again, first)
	}

	data, err := os.ReadFile(filepath.Join(dir, "compose.yaml"))
	s.must(err)
	var file struct {
		Services map[string]struct {
			Image       string
			Volumes     []string
			Environment map[string]string
		}
	}
	s.must(yaml.Unmarshal(data, &file))
	programs := 0
	for name, service := range file.Services {
		program, ours := strings.CutPrefix(service.Image, "ffrtmp-")
		mounts := strings.Join(service.Volumes, " ")
		if strings.Contains(mounts, "ca:/") != (name == "init") {
			t.Errorf("%s mounts %s", name, mounts)
		}
		if !ours || name == "init" || name == "cli" {
			continue
		}
		programs++
		checkSettings(t, program, service.Environment)
		for setting, value := range service.Environment {
			file, secret := strings.CutPrefix(value, "/etc/ffmpeg-rtmp/")
			if !secret {
				continue
			}
			if !strings.Contains(mounts, program+"-secrets:/etc/ffmpeg-rtmp:ro") {
				t.Errorf("%s mounts %s", name, mounts)
			}
			if _, err := os.Stat(filepath.Join(secrets, program, file)); err != nil {
				t.Errorf("%s of %s: %v", setting, name, err)
			}
		}
	}
	if programs != 5 {
		t.Errorf("got %d masters and agents, want 5", programs)
	}
	for _, program := range []string{"master", "agent"} {
		text, err := os.ReadFile(filepath.Join(dir, "Dockerfile."+program))
		s.must(err)
		checkSettings(
			t,
			program,
			environment(regexp.MustCompile(`FFRTMP_[A-Z_]+=\S+`).FindAllString(string(text), -1)),
		)
	}
}
