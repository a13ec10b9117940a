package recipe_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// After a lost connection a file continues where the stream broke off, a live input wherever it is, and a file that
// ffmpeg cannot seek in begins again.
func TestPlan_Resume(t *testing.T) {
	roots, dir := openRoots(t)
	for _, name := range []string{"in.mkv", "in.ts"} {
		makeFile(t, append(bars("64x36"), "-c:v", "libx264", filepath.Join(dir, name))...)
	}
	for _, c := range []struct{ parameters, want string }{
		{`"input":"in.mkv"`, "-ss 30.5 "},
		{`"input":"in.mkv","duration":100`, "-ss 30.5 … -t 69.5 "},
		{`"input":"in.ts","duration":100`, "-t 100 "},
		{`"input":"in.ts"`, ""},
		{`"input":"rtmp://h/-t/-ss","duration":100`, "-t 69.5 "},
		{`"duration":100`, "-t 69.5 "},
		{`"duration":1`, "-t 0.001 "},
	} {
		p := build(t, roots, "360p", `{"rtmp_url":"rtmp://h/a/b","reconnect":5,`+c.parameters+`}`)
		before := strings.Join(p.Args, " ")
		args := strings.Join(p.Resume(30.5).Args, " ")
		for _, part := range strings.Split(c.want, "… ") {
			if !strings.Contains(args, part) {
				t.Errorf("%s: got %s, want %s", c.parameters, args, part)
			}
		}
		if strings.Contains(args, "-ss 30.5") != strings.Contains(c.want, "-ss") ||
			(args == before) != (p.Restart || c.want == "") {
			t.Errorf("%s: got %s, want %q only", c.parameters, args, c.want)
		}
		if p.Reconnect != 5 || strings.Join(p.Args, " ") != before {
			t.Errorf("%s: got %+v, want the plan unchanged", c.parameters, p)
		}
	}
	p := build(t, roots, "360p", `{"rtmp_url":"rtmp://h/a/b","reconnect":0,"input":"in.mkv"}`)
	if strings.Contains(strings.Join(p.Args, " "), "-ss") {
		t.Errorf("got %q, want no position in a stream that is not resumed", p.Args)
	}
}
