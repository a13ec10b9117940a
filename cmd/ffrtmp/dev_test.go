package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// TestMain lets the test's own program stand in for the programs that dev starts,
// under their names. How SQLite locks files is set before any test opens a database.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "master":
		standIn("/health/ready", "port")
	case "agent":
		standIn("/ready", "metrics-port")
	}
	if err := store.LockByDescriptor(); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// standIn says that it is ready and ends with 0 on SIGTERM.
func standIn(path, port string) {
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	set.ParseErrorsAllowlist.UnknownFlags = true
	cert, key, number := set.String("cert", "", ""), set.String("key", "", ""), set.String(port, "", "")
	_ = set.Parse(os.Args[1:])
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	http.HandleFunc(path, func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/say", func(_ http.ResponseWriter, r *http.Request) { fmt.Println(r.URL.Query().Get("what")) })
	http.HandleFunc("/die", func(http.ResponseWriter, *http.Request) { os.Exit(7) })
	go func() {
		if port == "port" {
			fmt.Println(http.ListenAndServeTLS("127.0.0.1:"+*number, *cert, *key, nil))
		} else {
			fmt.Println(http.ListenAndServe("127.0.0.1:"+*number, nil))
		}
		os.Exit(1)
	}()
	<-ctx.Done()
	stop()
	os.Exit(0)
}

// screen is a writer whose text can be waited for.
type screen struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newScreen() *screen { return &screen{changed: make(chan struct{}, 1)} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// until waits for the screen to show something.
func (s *screen) until(t *testing.T, what string) string {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for !strings.Contains(s.String(), what) {
		select {
		case <-s.changed:
		case <-deadline:
			t.Fatalf("got a screen of\n%s\nwant %q on it", s.String(), what)
		}
	}
	return s.String()
}

// A cluster starts, shows how to use it and what its processes log, and stops on Ctrl-C.
func TestDev(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's state")
	ctx, cancel := context.WithCancel(t.Context())
	out, errOut := newScreen(), newScreen()
	code := make(chan int)
	go func() {
		args := []string{"dev", "--masters", "2", "--agents", "1", "--dir", dir, "--bin-dir", testkit.StandIns(t)}
		code <- Run(ctx, args, nil, out, errOut, nil)
	}()
	text := out.until(t, "Ctrl-C stops the cluster.")
	mustContain(t, "the screen", text, "A cluster of 2 masters and 1 agent is running",
		"export MASTER_URL=https://127.0.0.1:", "export FFRTMP_API_KEY_FILE='", `it'\''s state`)
	if key, err := os.ReadFile(filepath.Join(dir, "keys", "api.key")); err != nil ||
		strings.Contains(text, strings.TrimSpace(string(key))) {
		t.Errorf("got a missing key file (%v) or its key on the screen, want a key file only", err)
	}

	_, rest, _ := strings.Cut(text, "MASTER_URL=")
	urls, _, _ := strings.Cut(rest, "\n")
	masters := strings.Split(urls, ",")
	client := http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
	}
	get := func(url string) {
		if resp, err := client.Get(url); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	}
	get(masters[1] + "/say?what=2026-01-02T03:04:05.678Z+[WARN]++master:+hello%1b%5b2J")
	get(masters[1] + "/say?what=2026-01-02T03:04:06.678Z+[WARN]++master:+hello%1b%5b2J")
	get(masters[1] + "/say?what=2026-01-02T03:04:07.678Z+[INFO]++master:+goodbye")
	text = out.until(t, "03:04:07 master-1 INFO  master: goodbye\n")
	mustContain(t, "the screen", text, "03:04:05 master-1 WARN  master: hello?[2J\n")
	if strings.Count(text, "hello") != 1 {
		t.Errorf("got a repeated line, want it once:\n%s", text)
	}
	get(masters[0] + "/die")
	out.until(t, "master-0       ended: exit status 7\n")

	cancel()
	if c := <-code; c != exitDone {
		t.Errorf("got exit code %d, want %d: %s", c, exitDone, errOut.String())
	}
	if resp, err := client.Get(masters[1] + "/health/ready"); err == nil {
		_ = resp.Body.Close()
		t.Error("got an answer from a master after the end, want none")
	}
	if _, err := os.Stat(filepath.Join(dir, "logs", "master-1.log")); err != nil {
		t.Errorf("got %v, want the log in --dir", err)
	}
}

// The document names the masters, and a temporary directory is removed at the end.
func TestDev_JSON(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, errOut := newScreen(), newScreen()
	code := make(chan int)
	go func() {
		args := []string{"dev", "--masters", "1", "--agents", "1", "-o", "json", "--bin-dir", testkit.StandIns(t)}
		code <- Run(ctx, args, nil, out, errOut, nil)
	}()
	out.until(t, "\n}\n")
	cancel()
	if c := <-code; c != exitDone {
		t.Errorf("got exit code %d, want %d: %s", c, exitDone, errOut.String())
	}
	var document struct {
		Masters []string
		Dir     string
	}
	if err := json.Unmarshal([]byte(out.String()), &document); err != nil || len(document.Masters) != 1 {
		t.Fatalf("got %v, %s, want a document with one master", err, out.String())
	}
	if _, err := os.Stat(document.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: got %v, want the directory removed", document.Dir, err)
	}
}

// A missing program ends the start with an error.
func TestDev_StartFailure(t *testing.T) {
	if r := invoke(t, nil, "", "dev", "--bin-dir", t.TempDir()); r.code != exitFailed ||
		!strings.Contains(r.err, "no program master") {
		t.Errorf("got code %d, %q, want %d for a missing program", r.code, r.err, exitFailed)
	}
	dir := testkit.StandIns(t)
	master := filepath.Join(dir, "master")
	if err := os.Remove(master); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(master, []byte("#!/bin/sh\necho the disk is on fire\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := invoke(t, nil, "", "dev", "--masters", "1", "--bin-dir", dir)
	if r.code != exitFailed {
		t.Errorf("got exit code %d, want %d", r.code, exitFailed)
	}
	mustContain(t, "the error", r.err, "master-0 ended", "\nthe disk is on fire")
}
