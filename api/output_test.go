package api

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// outputSite is a master with a media root, and a secret outside of it.
type outputSite struct {
	*master
	root, secret string
	node         string // that completes jobs
}

func newOutputSite(t *testing.T) *outputSite {
	t.Helper()
	m := newMaster(t)
	m.register(nodeA)
	return siteOf(m)
}

// siteOf gives a master a media root.
func siteOf(m *master) *outputSite {
	m.t.Helper()
	dir, err := filepath.EvalSymlinks(m.t.TempDir())
	if err != nil {
		m.t.Fatal(err)
	}
	s := &outputSite{m, filepath.Join(dir, "media"), filepath.Join(dir, "secret.mp4"), nodeA}
	s.api.cfg.MediaRoots = []string{s.root}
	s.write(s.secret, "secret")
	s.write(filepath.Join(s.root, "out", "film.mp4"), "0123456789")
	return s
}

func (s *outputSite) write(path, text string) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// complete makes a job whose node says that it has written this file, and returns the address of its output.
func (s *outputSite) complete(path string, size int) string {
	s.t.Helper()
	j := s.submitTo(s.node)
	more := fmt.Sprintf(`,"output":{"path":%q,"size_bytes":%d,"sha256":"%064d"}`, path, size, 7)
	s.want(200, "POST", "/results", result(j, "publishing", ""))
	s.want(200, "POST", "/results", result(j, "completed", more))
	return "/jobs/" + j.ID + "/output"
}

// submitTo submits a job before all others and starts it on a node.
func (s *outputSite) submitTo(node string) ffrtmp.Job {
	s.t.Helper()
	s.submit(`{"scenario":"720p","queue":"live","priority":"high"}`)
	return s.claim(node)
}

// read requests a range of a file; "" is all of it.
func (s *outputSite) read(path, ranges string) *http.Response {
	s.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), "GET", s.server.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+testKey)
	if ranges != "" {
		r.Header.Set("Range", ranges)
	}
	resp, err := s.server.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// The output of a completed job is sent, in ranges too, as a file that no browser runs.
func TestOutput(t *testing.T) {
	s := newOutputSite(t)
	path := s.complete(filepath.Join(s.root, "out", "film.mp4"), 10)
	for ranges, want := range map[string]string{"": "0123456789", "bytes=2-4": "234", "bytes=-1": "9"} {
		resp := s.read(path, ranges)
		body := make([]byte, 20)
		n, _ := resp.Body.Read(body)
		if string(body[:n]) != want || resp.Header.Get("Content-Type") != "video/mp4" ||
			resp.Header.Get("X-Content-Type-Options") != "nosniff" ||
			resp.Header.Get("Content-Disposition") != "attachment; filename=film.mp4" {
			t.Errorf("%s: got %q with %v, want %q", ranges, body[:n], resp.Header, want)
		}
	}
	if resp := s.read(path, "bytes=100-"); resp.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("got %d, want 416", resp.StatusCode)
	}
	s.write(filepath.Join(s.root, "page.html"), "<script>")
	if got := s.read(s.complete(filepath.Join(s.root, "page.html"), 8), "").Header.Get("Content-Type"); got !=
		"application/octet-stream" {
		t.Errorf("got %s, want bytes", got)
	}
}

// Nothing outside the roots is sent, whatever a node says it has written and wherever links lead; nothing but a regular
// file of the job's size is.
func TestOutput_Outside(t *testing.T) {
	s := newOutputSite(t)
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(s.root, name)); err != nil {
			t.Fatal(err)
		}
	}
	link(s.secret, "absolute.mp4")
	link("../secret.mp4", "relative.mp4")
	link("..", "up")
	link("loop", "loop")
	if err := syscall.Mkfifo(filepath.Join(s.root, "fifo.mp4"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, size := range map[string]int{
		s.secret:                     6,
		s.root + "/../secret.mp4":    6,
		s.root + "/out/../../secret": 6,
		s.root + "/absolute.mp4":     6,
		s.root + "/relative.mp4":     6,
		s.root + "/up/secret.mp4":    6,
		s.root + "/loop":             0,
		s.root + "/fifo.mp4":         0,
		s.root + "/out":              0,
		s.root + "/none.mp4":         0,
		s.root + "x/film.mp4":        0,
		s.root:                       0,
		"film.mp4":                   10,
		"":                           10,
		"/proc/self/environ":         0,
	} {
		if body := s.want(404, "GET", s.complete(path, size), "").body; strings.Contains(string(body), "secret") {
			t.Errorf("%s: got %s, want nothing of the secret", path, body)
		}
	}
	s.want(409, "GET", s.complete(s.root+"/out/film.mp4", 9), "")
}

// A job that is not completed has no output, and a master without a root sends none.
func TestOutput_None(t *testing.T) {
	s := newOutputSite(t)
	s.submit(`{"scenario":"720p"}`)
	s.want(409, "GET", "/jobs/1/output", "")
	s.claim(s.register(nodeB))
	s.want(409, "GET", "/jobs/1/output", "")
	s.want(404, "GET", "/jobs/9/output", "")
	path := s.complete(filepath.Join(s.root, "out", "film.mp4"), 10)
	s.api.cfg.MediaRoots = nil
	s.want(404, "GET", path, "")
}
