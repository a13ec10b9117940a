package recipe_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// Every encoder that has two passes writes a log in the first and reads it in the second.
func TestBuild_TwoPass(t *testing.T) {
	roots, dir := openRoots(t)
	makeFile(t, "-f", "lavfi", "-i", "testsrc2=size=64x36:rate=10", "-f", "lavfi", "-i", "sine", "-t", "1.5", "-c:v",
		"ffv1", filepath.Join(dir, "in.mkv"))
	for _, q := range ffrtmp.EncoderQualities {
		if !q.TwoPass {
			continue
		}
		p := build(t, roots, "360p", `{"input":"in.mkv","codec":"`+q.Encoder+`","resolution":"64x64","start":0.5,
			"output":"`+q.Encoder+`.mkv","bitrate":"60k","two_pass":true,"threads":1}`)
		logs := t.TempDir()
		first, second := p.Pass(true), p.Pass(false)
		if first.Work != nil || first.Final == nil || second.Work == nil {
			t.Errorf("%s: got work files %v and %v, want one in the second pass", q.Encoder, first.Work, second.Work)
		}
		runPass(t, first, logs)
		if found, err := filepath.Glob(filepath.Join(logs, "pass*")); err != nil || len(found) == 0 {
			t.Errorf("%s: got no log (%v), want one", q.Encoder, err)
		}
		runPass(t, second, logs)
		if n := frames(t, p.Work.Path()); n != 10 {
			t.Errorf("%s: got %d frames, want 10", q.Encoder, n)
		}
		if got := probe(t, p.Work.Path()); got.Audio != "aac" || got.Video != ffrtmp.CodecOf(q.Encoder) {
			t.Errorf("%s: got %+v, want its codec and sound", q.Encoder, got)
		}
	}
}

// runPass runs a plan with its log in a directory.
func runPass(t *testing.T, p recipe.Plan, logs string) {
	t.Helper()
	cmd := exec.Command("ffmpeg", p.Args...)
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	must(t, err)
	defer null.Close()
	pass, err := os.Open(logs)
	must(t, err)
	defer pass.Close()
	cmd.ExtraFiles = inherited(t, p)
	cmd.ExtraFiles[recipe.ProgressFD-3], cmd.ExtraFiles[recipe.PassFD-3] = null, pass
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, strings.Join(p.Args, " "), stderr.String())
	}
}
