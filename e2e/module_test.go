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
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// A module outside of the repository builds the README's client example and runs it against a cluster.
func TestModule_ReadmeExample(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3, Agents: 1})
	root, err := filepath.Abs("..")
	s.must(err)
	program := buildOutside(t, root, goExample(t, filepath.Join(root, "README.md")))
	var stderr bytes.Buffer
	run := exec.CommandContext(s.soon(), program)
	run.Stderr = &stderr
	run.Env = append(os.Environ(), s.environment()...)
	out, err := run.Output()
	if want := "completed " + s.MediaRoot(); err != nil || !strings.Contains(string(out), want) {
		t.Errorf("got %v, %q, %s, want an output with %q", err, out, &stderr, want)
	}
}

// A module outside of the repository builds the example of package master, which embeds a master.
func TestModule_EmbedsMaster(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	program := buildOutside(t, root, exampleProgram(t, "../master/example_test.go"))
	run := exec.CommandContext(testkit.Context(t), program)
	run.Dir = t.TempDir()
	out, err := run.Output()
	if want := "job 1 is pending\nstopped: <nil>\n"; err != nil || string(out) != want {
		t.Errorf("got %v, %q, want %q", err, out, want)
	}
	left, err := os.ReadDir(run.Dir)
	if err != nil || len(left) > 0 {
		t.Errorf("got files %v, %v, want none: the state is in memory", left, err)
	}
}

// exampleProgram turns the example of a package into a program.
func exampleProgram(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("package master_test", "package main", "func Example()", "func main()").
		Replace(string(text))
}

// buildOutside builds a program in a module that uses the repository at root, and returns its path. Nothing is
// downloaded: the module cache has what the repository itself needs.
func buildOutside(t *testing.T, root, source string) string {
	t.Helper()
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.go": source, "go.mod": outsideModule(t, root), "go.sum": string(sums),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", "example", ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "GOSUMDB=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return filepath.Join(dir, "example")
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
