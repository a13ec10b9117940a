package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// unpack returns the files of a debug archive.
func unpack(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for tape := tar.NewReader(zip); ; {
		head, err := tape.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(tape)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(head.Name, "ffrtmp-debug/")] = string(data)
	}
}

// The archive has what masters answer, the reason for what they refuse, and no secret, wherever it was.
func TestDebug(t *testing.T) {
	const canary = "canary7f3a"
	m := newFakeMaster(t)
	m.handle("GET /cluster", func(w http.ResponseWriter, _ *http.Request) {
		s := sampleCluster()
		s.Members[0].APIURL = m.server.URL
		w.Header().Set("X-Ffrtmp-Served-By", s.Members[0].ID)
		_ = json.NewEncoder(w).Encode(s)
	})
	m.answer("GET /health", http.StatusOK, ffrtmp.Health{Status: "healthy", Version: "3.0.0"})
	m.answer("GET /nodes", http.StatusOK, ffrtmp.NodeList{Nodes: []ffrtmp.Node{sampleNode()}, Count: 1})
	j := sampleJob()
	j.Parameters = json.RawMessage(`{"stream_key":"` + canary + `"}`)
	j.Logs = canary
	j.Error = "cannot open 'rtmp://user:" + canary + "@live.example.net/app/" + canary + "': refused"
	j.Attempts[0].Error = `open "https://cdn.example.net/a?x=1&token=` + canary + `": 403`
	m.answer("GET /jobs", http.StatusOK, ffrtmp.List{Jobs: []ffrtmp.Job{j}, Count: 1})
	m.answer("GET /audit", http.StatusForbidden, map[string]any{
		"error": "key " + canary + " may not", "code": ffrtmp.Forbidden, "status": http.StatusForbidden,
	})
	path := filepath.Join(t.TempDir(), "report.tar.gz")
	env := append(slices.DeleteFunc(m.env(), func(e string) bool { return strings.HasPrefix(e, "MASTER_API_KEY") }),
		"MASTER_API_KEY="+canary)
	r := invoke(t, env, "", "debug", path)
	if r.code != exitDone {
		t.Fatalf("got code %d: %s%s", r.code, r.out, r.err)
	}
	mustContain(t, "the output", r.out, "Wrote "+path)
	files := unpack(t, path)
	for name, want := range map[string]string{
		"version.json": `"go"`, "cluster.json": `"quorum": true`, "health.json": "healthy", "nodes.json": "agent-1",
		"jobs.json": "live.example.net", "missing.json": `"audit.json"`,
	} {
		mustContain(t, name, files[name], want)
	}
	for name, text := range files {
		if strings.Contains(text, canary) {
			t.Errorf("%s has a secret:\n%s", name, text)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want mode 0600", info, err)
	}
}

// Without a master there is no archive.
func TestDebug_NoMaster(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.tar.gz")
	r := invoke(t, []string{"MASTER_URL=https://127.0.0.1:1"}, "", "debug", path)
	if r.code != exitFailed {
		t.Errorf("got code %d, want %d", r.code, exitFailed)
	}
	mustContain(t, "the error", r.err, "no master answered")
	if _, err := os.Stat(path); err == nil {
		t.Error("got a file, want none")
	}
}
