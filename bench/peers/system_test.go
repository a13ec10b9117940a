package main

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
)

// holdsServer makes the test binary a program that holds a server, with what it has inherited as its output.
const holdsServer = "PEERS_TEST_HOLDS_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(holdsServer) == "" {
		os.Exit(m.Run())
	}
	runtime.LockOSThread()
	out := os.NewFile(3, "out")
	server := exec.Command("sleep", "1000")
	server.Stdout = out
	tie(server, syscall.SIGKILL)
	if err := server.Start(); err != nil {
		os.Exit(1)
	}
	if _, err := out.WriteString("x"); err != nil {
		os.Exit(1)
	}
	_ = server.Wait() // this process is killed first
}

// A server ends when this program is killed.
func TestTie(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command(program)
	cmd.Env, cmd.ExtraFiles = append(os.Environ(), holdsServer+"=1"), []*os.File{w}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatalf("got %v, want a running server", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
		t.Errorf("got %q, %v, want the end of the server", rest, err)
	}
}
