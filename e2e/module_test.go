package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// A module outside of the repository builds the README's client example and runs it against a cluster.
func TestModule_ReadmeExample(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3, Agents: 1})
	root, err := filepath.Abs("..")
	s.must(err)
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		s.must(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("main.go", goExample(t, filepath.Join(root, "README.md")))
	write("go.mod", outsideModule(t, root))
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	s.must(err)
	write("go.sum", string(sums))

	build := exec.CommandContext(t.Context(), "go", "build", "-o", "example", ".")
	build.Dir = dir
	// Nothing is downloaded: the module cache has what the repository itself needs.
	build.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "GOSUMDB=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	var stderr bytes.Buffer
	run := exec.CommandContext(s.soon(), filepath.Join(dir, "example"))
	run.Stderr = &stderr
	run.Env = append(os.Environ(), s.environment()...)
	out, err := run.Output()
	if want := "completed " + s.MediaRoot(); err != nil || !strings.Contains(string(out), want) {
		t.Errorf("got %v, %q, %s, want an output with %q", err, out, &stderr, want)
	}
}

// goExample returns the Go program in a document.
func goExample(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```go\n(package main\n.*?)```").FindSubmatch(text)
	if m == nil {
		t.Fatalf("%s has no Go program", file)
	}
	return string(m[1])
}

// outsideModule is a go.mod that uses the repository at root, with the versions that root's go.mod has chosen.
func outsideModule(t *testing.T, root string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go .*$`).FindString(string(text))
	return "module example.org/outside\n\n" + version + "\n\n" +
		"require github.com/ffrtmp/ffrtmp v0.0.0\n\nreplace github.com/ffrtmp/ffrtmp => " + root + "\n"
}
