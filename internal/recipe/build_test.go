package recipe_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

func TestBuild_Files(t *testing.T) {
	roots, dir := openRoots(t)
	must(t, os.WriteFile(filepath.Join(dir, "in.mp4"), nil, 0o644))
	p := build(t, roots, "1080p", `{"input":"in.mp4"}`)
	final := "job_" + run.JobID + ".mp4"
	if p.Input.Path() != filepath.Join(dir, "in.mp4") || p.Final.Path() != filepath.Join(dir, final) {
		t.Errorf("input %v, final %v", p.Input, p.Final)
	}
	if want := ".job_" + run.JobID + "." + run.JobID + "-2-001122334455.part.mp4"; p.Work.Name != want {
		t.Errorf("work file %s, want %s", p.Work.Name, want)
	}
	for _, arg := range p.Args {
		if strings.Contains(arg, dir) || strings.Contains(arg, "in.mp4") {
			t.Errorf("ffmpeg is shown a path: %s", arg)
		}
	}
	long := strings.Repeat("n", 251) + ".mkv"
	p = build(t, roots, "1080p", `{"output":"sub/`+long+`"}`)
	work := filepath.Base(p.Work.Name)
	if len(work) > 255 || filepath.Dir(p.Work.Name) != "sub" || !strings.HasPrefix(work, ".nnn") ||
		!strings.HasSuffix(work, ".part.mkv") {
		t.Errorf("work file %s", p.Work.Name)
	}
	// A plan is kept as JSON, which has no half characters.
	p = build(t, roots, "1080p", `{"output":"`+strings.Repeat("é", 125)+`.mp4"}`)
	if work := filepath.Base(p.Work.Name); len(work) > 255 || !utf8.ValidString(work) {
		t.Errorf("work file %q", work)
	}
	p = build(t, roots, "1080p", `{"output_mode":"null"}`)
	if p.Work != nil || p.Final != nil {
		t.Errorf("a file for no output: %v", p.Work)
	}
}

// noDisk answers for files that nobody has looked for.
type noDisk struct{}

func (noDisk) Input(_, name string) (recipe.File, error) {
	return recipe.File{Root: "/media", Name: name}, nil
}

func (noDisk) Output(name string) (recipe.File, error) {
	return recipe.File{Root: "/media", Name: name}, nil
}

// A program without media roots can show the command of a job.
func TestBuild_WithoutDisk(t *testing.T) {
	params, err := ffrtmp.ParseParameters(json.RawMessage(`{"input":"in.mkv","output":"sub/out.mp4"}`))
	must(t, err)
	e, err := ffrtmp.Resolve("720p-h264", params)
	must(t, err)
	p, err := recipe.Build(e, run, noDisk{}, recipe.Machine{}, nil)
	must(t, err)
	if p.Input.Path() != "/media/in.mkv" || p.Final.Path() != "/media/sub/out.mp4" {
		t.Errorf("got input %s, output %s", p.Input.Path(), p.Final.Path())
	}
	if !slices.Contains(p.Args, "libx264") {
		t.Errorf("got %q, want libx264 among them", p.Args)
	}
}

func TestBuild_Refused(t *testing.T) {
	roots, dir := openRoots(t)
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "x.mp4"), nil, 0o644))
	must(t, os.Symlink(outside, filepath.Join(dir, "link")))
	for name, c := range map[string]struct {
		scenario, parameters string
		reason               ffrtmp.FailureReason
	}{
		"missing input":          {"360p", `{"input":"none.mp4"}`, ffrtmp.InputError},
		"input outside":          {"360p", `{"input":"/etc/passwd"}`, ffrtmp.UserError},
		"input by dots":          {"360p", `{"input":"../x.mp4"}`, ffrtmp.UserError},
		"input by a link":        {"360p", `{"input":"link/x.mp4"}`, ffrtmp.UserError},
		"input: protocol":        {"360p", `{"input":"concat:a|b"}`, ffrtmp.InputError},
		"output outside":         {"360p", `{"output":"/tmp/x.mp4"}`, ffrtmp.UserError},
		"output by a link":       {"360p", `{"output":"link/new.mp4"}`, ffrtmp.UserError},
		"output's name too long": {"360p", `{"output":"` + strings.Repeat("n", 252) + `.mp4"}`, ffrtmp.UserError},
		"its directory's too":    {"360p", `{"output":"` + strings.Repeat("n", 256) + `/x.mp4"}`, ffrtmp.UserError},
		"user in an RTMP URL": {
			"360p", `{"rtmp_url":"rtmp://user:pass@host/live","stream_key":"k"}`,
			ffrtmp.UserError,
		},
		"key that is too long": {
			"360p", `{"rtmp_url":"rtmp://host/live","stream_key":"` + strings.Repeat("k", 1000) + `"}`,
			ffrtmp.UserError,
		},
		"no VAAPI device": {"360p", `{"hwaccel":"vaapi"}`, ffrtmp.PlatformError},
	} {
		t.Run(name, func(t *testing.T) {
			params, err := ffrtmp.ParseParameters(json.RawMessage(c.parameters))
			must(t, err)
			e, err := ffrtmp.Resolve(c.scenario, params)
			must(t, err)
			p, err := recipe.Build(e, run, roots, recipe.Machine{}, nil)
			if err == nil || failure.Reason(err) != c.reason {
				t.Errorf("got %v, %v; want a %s", p.Args, err, c.reason)
			}
		})
	}
}

func TestBuild_Stream(t *testing.T) {
	roots, _ := openRoots(t)
	for _, c := range []struct{ url, key, app, play, tcurl string }{
		{"rtmp://host/live", "KEY", "live", "KEY", "rtmp://host/live"},
		{"rtmp://host:1936/live/", "KEY", "live", "KEY", "rtmp://host:1936/live"},
		{"rtmps://host/live/KEY", "", "live", "KEY", "rtmps://host/live"},
		{"rtmp://host/app/inst/KEY?a=b", "", "app/inst", "KEY?a=b", "rtmp://host/app/inst"},
		{"rtmp://host/app/mp4:dir/KEY", "", "app", "mp4:dir/KEY", "rtmp://host/app"},
		{"rtmp://host", "KEY", "KEY", "", "rtmp://host/KEY"},
	} {
		p := build(t, roots, "live-720p30", `{"rtmp_url":"`+c.url+`","stream_key":"`+c.key+`"}`)
		want := "rtmp_app=" + c.app + "\n"
		if c.play != "" {
			want += "rtmp_playpath=" + c.play + "\n"
		}
		if want += "rtmp_tcurl=" + c.tcurl + "\n"; p.Options != want {
			t.Errorf("%s %s: options %q, want %q", c.url, c.key, p.Options, want)
		}
		args := strings.Join(p.Args, " ")
		if strings.Contains(args, "KEY") || strings.Contains(args, "host") {
			t.Errorf("%s: on the command line: %s", c.url, args)
		}
		if !p.Live() || strings.Count(args, "-re ") != 2 ||
			!strings.Contains(args, "-force_key_frames expr:gte(t,n_forced*2)") ||
			!strings.Contains(args, "-b:v 2764800 -maxrate 2764800 -bufsize 5529600") ||
			!strings.HasSuffix(args, "-f flv "+recipe.TargetAddress) {
			t.Errorf("%s: %s", c.url, args)
		}
		hidden := strings.NewReplacer(pairs(p.Secrets)...)
		if got := hidden.Replace("a " + p.Target + " b KEY c"); strings.Contains(got, "KEY") {
			t.Errorf("%s: secrets %q leave %q", c.url, p.Secrets, got)
		}
	}
}

func pairs(secrets []string) []string {
	var list []string
	for _, s := range secrets {
		if s != "" {
			list = append(list, s, "-")
		}
	}
	return list
}

// The test machine has no such hardware: only arguments can be checked.
func TestBuild_Hardware(t *testing.T) {
	roots, dir := openRoots(t)
	must(t, os.WriteFile(filepath.Join(dir, "in.mp4"), nil, 0o644))
	const (
		scaled720 = "-vf bwdif=mode=send_frame:deint=interlaced," +
			"scale=w='if(gte(dar,1),min(16384,2*round(720*dar/2)),720)'" +
			":h='if(gte(dar,1),720,min(16384,2*round(720/dar/2)))':out_range=tv,setsar=1"
		hd = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
	)
	for _, c := range []struct{ parameters, want string }{
		{`{"input":"in.mp4","hwaccel":"cuda"}`, "-hwaccel cuda -protocol_whitelist file"},
		{
			`{"input":"in.mp4","hwaccel":"nvenc","preset":"p4"}`,
			scaled720 + ",format=yuv420p," + hd + " -c:v h264_nvenc -preset p4 -rc vbr -cq 23 -b:v 0",
		},
		{`{"input":"in.mp4","hwaccel":"qsv"}`, scaled720 + ",format=nv12," + hd + " -c:v h264_qsv -global_quality 23"},
		{
			`{"input":"in.mp4","hwaccel":"vaapi","codec":"hevc"}`,
			scaled720 + ",format=nv12," + hd + ",hwupload -c:v hevc_vaapi -qp 23",
		},
		{`{"hwaccel":"vaapi"}`, "-y -vaapi_device /dev/dri/renderD128 -f lavfi"},
		{
			`{"codec":"h264_vaapi","bitrate":"4M"}`,
			"format=nv12," + hd + ",hwupload -c:v h264_vaapi -b:v 4M -maxrate 6000000 -bufsize 8000000",
		},
	} {
		p := build(t, roots, "720p", c.parameters)
		if args := strings.Join(p.Args, " "); !strings.Contains(args, c.want) {
			t.Errorf("%s: %s", c.parameters, args)
		}
	}
}
