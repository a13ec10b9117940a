package ui_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/mastertest"
	"github.com/ffrtmp/ffrtmp/master"
)

// The page of a job plays and downloads its output where this master has the file, and offers neither elsewhere.
func TestConsole_Output(t *testing.T) {
	root := t.TempDir()
	b := visitor(t, mastertest.Start(t, func(c *master.Config) { c.APIKey, c.MediaRoots = apiKey, []string{root} }))
	b.signIn(apiKey)
	b.register()
	complete := func(path string, size int64) string {
		t.Helper()
		j := b.claim(ffrtmp.Spec{Scenario: "720p"})
		done := ffrtmp.Result{Output: &ffrtmp.Output{Path: path, SizeBytes: size}}
		b.report(j, done, ffrtmp.ResultPublishing, ffrtmp.ResultCompleted)
		return "/ui/jobs/" + j.ID
	}
	path := filepath.Join(root, "film.webm")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	page := complete(path, 10)
	if text := b.get(page).text; !strings.Contains(text, `<video class="player"`) ||
		!strings.Contains(text, page+`/output" download`) {
		t.Error("got no player or download, want both")
	}
	part := b.do("GET", page+"/output", nil, "Range", "bytes=3-5")
	if part.StatusCode != http.StatusPartialContent || part.text != "345" ||
		!strings.Contains(part.Header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("got %d %q with %v, want a part that no browser runs", part.StatusCode, part.text, part.Header)
	}
	if text := b.get(complete("/elsewhere/film.webm", 10)).text; strings.Contains(text, "/output") {
		t.Error("got an output of another machine offered, want none")
	}
	if p := visitor(t, b.master).do("GET", page+"/output", nil); p.StatusCode != http.StatusSeeOther {
		t.Errorf("got %d without a session, want the sign-in page", p.StatusCode)
	}
}
