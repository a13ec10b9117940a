package probe

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// findTools is called once: ffmpeg -version is slow on a busy machine.
var findTools = sync.OnceValues(func() (Tools, error) { return FindTools("") })

func tools(t *testing.T) Tools {
	t.Helper()
	found, err := findTools()
	must(t, err)
	return found
}

func fileOf(path string) recipe.File {
	return recipe.File{Root: filepath.Dir(path), Name: filepath.Base(path)}
}

func TestVerify_Cases(t *testing.T) {
	t.Parallel()
	paths := encode(t, append(bars("10", "3"), tone("3")...),
		output{"whole.mp4", []string{"-t", "1"}}, output{"silent.mkv", []string{"-t", "1", "-an"}},
		output{"long.mp4", nil}, output{"sound.mp4", []string{"-t", "1", "-vn"}})
	whole, silent, long, tonly := opens(t, paths[0]), opens(t, paths[1]), opens(t, paths[2]), opens(t, paths[3])
	good := recipe.Want{
		Codec: "h264", Width: 64, Height: 36, Fit: recipe.Exact, Seconds: 1, Audio: "aac", Pattern: true,
	}
	with := func(change func(*recipe.Want)) recipe.Want {
		w := good
		change(&w)
		return w
	}
	fromSource := with(func(w *recipe.Want) { w.Pattern, w.Seconds = false, 0 })
	for name, c := range map[string]struct {
		output opened
		want   recipe.Want
		source supervisor.Source
		reason ffrtmp.FailureReason
		says   string
	}{
		"as wanted": {whole, good, supervisor.Source{}, "", ""},
		"width is the source's": {whole, with(func(w *recipe.Want) {
			w.Width, w.Fit = 0, recipe.ShorterSide
		}), supervisor.Source{}, "", ""},
		"inside": {whole, with(func(w *recipe.Want) {
			w.Height, w.Fit = 64, recipe.Inside
		}), supervisor.Source{}, "", ""},
		"not inside": {whole, with(func(w *recipe.Want) {
			w.Width, w.Height, w.Fit = 32, 36, recipe.Inside
		}), supervisor.Source{}, ffrtmp.RuntimeError, "64x36, not inside 32x36"},
		"sound only": {tonly, with(func(w *recipe.Want) { w.Codec = "" }), supervisor.Source{}, "", ""},
		"video beside the sound": {whole, with(func(w *recipe.Want) {
			w.Codec = ""
		}), supervisor.Source{}, ffrtmp.RuntimeError, "want sound only"},
		"another codec": {whole, with(func(w *recipe.Want) {
			w.Codec = "hevc"
		}), supervisor.Source{}, ffrtmp.RuntimeError, "h264, not hevc"},
		"another height": {whole, with(func(w *recipe.Want) {
			w.Height = 38
		}), supervisor.Source{}, ffrtmp.RuntimeError, "64x36, not 64x38"},
		"another width": {whole, with(func(w *recipe.Want) {
			w.Width = 66
		}), supervisor.Source{}, ffrtmp.RuntimeError, "64x36, not 66x36"},
		"no video":                {tonly, good, supervisor.Source{}, ffrtmp.RuntimeError, "no video"},
		"no sound":                {silent, good, supervisor.Source{}, ffrtmp.RuntimeError, "sound"},
		"no sound, as the source": {silent, fromSource, supervisor.Source{Seconds: 1}, "", ""},
		"sound lost": {
			silent, fromSource,
			supervisor.Source{Seconds: 1, Audio: true},
			ffrtmp.RuntimeError, "sound",
		},
		"too short a pattern": {whole, with(func(w *recipe.Want) {
			w.Seconds = 3
		}), supervisor.Source{}, ffrtmp.RuntimeError, "1.0"},
		"too long": {long, with(func(w *recipe.Want) {
			w.Seconds = 0.5
		}), supervisor.Source{}, ffrtmp.RuntimeError, "not 0.50 s"},
		"source ended early": {
			whole, fromSource,
			supervisor.Source{Seconds: 10, Audio: true},
			ffrtmp.UserError, "not 10.00 s",
		},
		"source's length is a guess": {
			whole, fromSource,
			supervisor.Source{Seconds: 10, Audio: true, Estimated: true},
			"", "",
		},
		"source shorter than asked": {whole, with(func(w *recipe.Want) {
			w.Pattern, w.Seconds = false, 60
		}), supervisor.Source{Seconds: 1, Audio: true}, "", ""},
		"source's length is unknown": {whole, fromSource, supervisor.Source{Audio: true}, "", ""},
		"shorter than asked, of long": {whole, with(func(w *recipe.Want) {
			w.Pattern, w.Seconds = false, 5
		}), supervisor.Source{Seconds: 60, Audio: true}, ffrtmp.RuntimeError, "not 5.00 s"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.output.verify(context.Background(), c.want, c.source, nil)
			if c.reason == "" {
				must(t, err)
				return
			}
			checkRefused(t, err, c.reason, c.says)
		})
	}
}

// Only a whole, regular file in its root can be an output.
func TestVerify_Unreadable(t *testing.T) {
	t.Parallel()
	dir, whole := t.TempDir(), ffmpeg(t, "whole.mp4", append(bars("10", "1"), tone("1")...)...)
	pipe, link := filepath.Join(dir, "pipe.mp4"), filepath.Join(dir, "link.mp4")
	must(t, syscall.Mkfifo(pipe, 0o644))
	must(t, os.Symlink(whole, link))
	want := recipe.Want{Codec: "h264", Width: 64, Height: 36, Seconds: 1, Audio: "aac", Pattern: true}
	must(t, verify(t, whole, want, supervisor.Source{}, nil))
	for name, path := range map[string]string{
		"cut off": truncated(t, whole), "a pipe by now": pipe, "a link out of the root": link,
		"missing": whole + ".none",
	} {
		t.Run(name, func(t *testing.T) {
			checkRefused(t, verify(t, path, want, supervisor.Source{}, nil), ffrtmp.RuntimeError, "read the output")
		})
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Verify(ended, tools(t).FFprobe, fileOf(whole), want, supervisor.Source{}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestFindTools_Missing(t *testing.T) {
	t.Parallel()
	found := tools(t)
	if !filepath.IsAbs(found.FFmpeg) || !filepath.IsAbs(found.FFprobe) ||
		!strings.HasPrefix(found.Version, "ffmpeg version ") {
		t.Errorf("got %+v, want absolute paths and a version", found)
	}
	if _, err := FindTools("/no/such/ffmpeg"); err == nil || !strings.Contains(err.Error(), "--ffmpeg") {
		t.Errorf("got %v, want an error that names --ffmpeg", err)
	}
}

// Programs that the agent starts do not see its API key.
func TestProbe_NoAPIKey(t *testing.T) {
	t.Setenv("MASTER_API_KEY", "a secret")
	env, err := run(context.Background(), "env")
	must(t, err)
	if strings.Contains(string(env), "a secret") || !strings.Contains(string(env), "PATH=") {
		t.Errorf("got environment %s, want PATH and no API key", env)
	}
}

// Only encoders that work are reported, and the answer is cached.
func TestEncoders_Working(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	got, err := Encoders(context.Background(), tools(t), dir, func([]string) {})
	must(t, err)
	for _, encoder := range []string{"libx264", "libx265", "libvpx-vp9"} {
		if !slices.Contains(got, encoder) {
			t.Errorf("got encoders %v, want %s", got, encoder)
		}
	}
	if len(gpuDevices()) == 0 && slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "_") }) {
		t.Errorf("got encoders %v, want none of hardware", got)
	}
	facts, err := Machine()
	must(t, err)
	if facts.CPUModel == "" || facts.CPUThreads < 1 || facts.RAMTotalBytes < 1<<26 {
		t.Errorf("got %+v, want this machine", facts)
	}
}

// A listed encoder may fail; another ffmpeg is tried anew.
func TestEncoders_ListedButBroken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fake := filepath.Join(dir, "ffmpeg")
	script := `#!/bin/sh
echo "$*" >>"$0.runs"
case "$*" in
*-encoders*) printf ' V..... libx264 x\n V..... h264_nvenc x\n V..... libx265 x\n V..... other x\n' ;;
*libx264*|*other*) exit 0 ;;
*libx265*) exit 1 ;;
*) exit 1 ;;
esac
`
	must(t, os.WriteFile(fake, []byte(script), 0o755))
	var reports [][]string
	report := func(working []string) { reports = append(reports, working) }
	got, err := Encoders(context.Background(), Tools{FFmpeg: fake, Version: "1"}, dir, report)
	must(t, err)
	if !slices.Equal(got, []string{"libx264"}) || len(reports) != 1 || !slices.Equal(reports[0], got) {
		t.Errorf("got %v and reports %v, want libx264 in each", got, reports)
	}
	runs, err := os.ReadFile(fake + ".runs")
	must(t, err)
	again, err := Encoders(context.Background(), Tools{FFmpeg: fake, Version: "1"}, dir, report)
	must(t, err)
	if since, err := os.ReadFile(fake + ".runs"); err != nil || len(since) != len(runs) || !slices.Equal(got, again) {
		t.Errorf("second call: got %v and trials %s, want the cached answer", again, since[len(runs):])
	}
	must(t, os.WriteFile(fake, []byte(strings.ReplaceAll(script, "*libx265*) exit 1", "*libx265*) exit 0")), 0o755))
	got, err = Encoders(context.Background(), Tools{FFmpeg: fake, Version: "2"}, dir, report)
	must(t, err)
	if !slices.Equal(got, []string{"libx264", "libx265"}) {
		t.Errorf("after an upgrade: got %v, want libx264 and libx265", got)
	}
}

// An encoder whose trial was too slow is tried again at the next start.
func TestEncoders_TrialTimesOut(t *testing.T) {
	t.Parallel()
	fake := filepath.Join(t.TempDir(), "ffmpeg")
	must(t, os.WriteFile(fake, []byte("#!/bin/sh\necho ' V..... libx264 x'\n"), 0o755))
	dir, tools := t.TempDir(), Tools{FFmpeg: fake, Version: "1"}
	for _, c := range []struct {
		timeout time.Duration
		want    []string
	}{{0, []string{}}, {time.Hour, []string{"libx264"}}, {0, []string{"libx264"}}} {
		got, err := encoders(context.Background(), tools, dir, func([]string) {}, c.timeout)
		must(t, err)
		if !slices.Equal(got, c.want) {
			t.Errorf("timeout of %v: got %v, want %v", c.timeout, got, c.want)
		}
	}
}

func TestGPUOf(t *testing.T) {
	g := GPUOf([]string{"libx264", "h264_nvenc", "hevc_nvenc"})
	if !g.Has || g.Type != "nvidia" || !slices.Equal(g.Capabilities, []string{"h264_nvenc", "hevc_nvenc"}) {
		t.Errorf("got %+v, want an NVIDIA GPU with both encoders", g)
	}
	if g := GPUOf([]string{"libx264"}); g.Has || g.Type != "" || g.Capabilities != nil {
		t.Errorf("got %+v, want none", g)
	}
}
