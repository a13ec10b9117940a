package probe

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func tools(t *testing.T) Tools {
	t.Helper()
	found, err := FindTools("")
	must(t, err)
	return found
}

// make1s makes a one-second file of 64x36 with h264 and aac.
func make1s(t *testing.T, name string, extra ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	args := []string{
		"-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x36:rate=10", "-f", "lavfi", "-i", "sine",
		"-t", "1", "-c:v", "libx264", "-preset", "ultrafast",
	}
	out, err := exec.Command("ffmpeg", append(append(args, extra...), path)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

func fileOf(path string) recipe.File {
	return recipe.File{Root: filepath.Dir(path), Name: filepath.Base(path)}
}

func TestVerify_Cases(t *testing.T) {
	whole, silent := make1s(t, "whole.mp4"), make1s(t, "silent.mkv", "-an")
	long := make1s(t, "long.mp4", "-t", "3")
	tonly := make1s(t, "sound.mp4", "-vn")
	cut := filepath.Join(t.TempDir(), "cut.mp4")
	data, err := os.ReadFile(whole)
	must(t, err)
	must(t, os.WriteFile(cut, data[:len(data)/2], 0o644))
	pipe, link := filepath.Join(t.TempDir(), "pipe.mp4"), filepath.Join(t.TempDir(), "link.mp4")
	must(t, syscall.Mkfifo(pipe, 0o644))
	must(t, os.Symlink(whole, link))
	good := recipe.Want{Codec: "h264", Width: 64, Height: 36, Seconds: 1, Audio: "aac", Pattern: true}
	with := func(change func(*recipe.Want)) recipe.Want {
		w := good
		change(&w)
		return w
	}
	fromSource := with(func(w *recipe.Want) { w.Pattern, w.Seconds = false, 0 })
	for name, c := range map[string]struct {
		path   string
		want   recipe.Want
		source supervisor.Source
		reason ffrtmp.FailureReason
		says   string
	}{
		"as wanted":             {whole, good, supervisor.Source{}, "", ""},
		"width is the source's": {whole, with(func(w *recipe.Want) { w.Width = 0 }), supervisor.Source{}, "", ""},
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
			ffrtmp.InputError, "not 10.00 s",
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
		"cut off":                {cut, good, supervisor.Source{}, ffrtmp.RuntimeError, "read the output"},
		"a pipe by now":          {pipe, good, supervisor.Source{}, ffrtmp.RuntimeError, "read the output"},
		"a link out of the root": {link, good, supervisor.Source{}, ffrtmp.RuntimeError, "read the output"},
		"missing": {
			whole + ".none", good,
			supervisor.Source{},
			ffrtmp.RuntimeError,
			"read the output",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := Verify(context.Background(), tools(t).FFprobe, fileOf(c.path), c.want, c.source, nil)
			if c.reason == "" {
				must(t, err)
				return
			}
			if err == nil || failure.Reason(err) != c.reason || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want a %s that says %q", err, c.reason, c.says)
			}
		})
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	err = Verify(ended, tools(t).FFprobe, fileOf(whole), good, supervisor.Source{}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestFindTools_Missing(t *testing.T) {
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
	dir := t.TempDir()
	got, err := Encoders(context.Background(), tools(t), dir)
	must(t, err)
	for _, encoder := range []string{"libx264", "libx265", "libvpx-vp9"} {
		if !slices.Contains(got, encoder) {
			t.Errorf("got encoders %v, want %s", got, encoder)
		}
	}
	if len(gpuDevices()) == 0 && slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "_") }) {
		t.Errorf("got encoders %v, want none of hardware", got)
	}
	facts, err := Machine(got)
	must(t, err)
	if facts.CPUModel == "" || facts.CPUThreads < 1 || facts.RAMTotalBytes < 1<<26 ||
		facts.HasGPU != (len(facts.GPUCapabilities) > 0) {
		t.Errorf("got %+v, want this machine", facts)
	}
}

// A listed encoder may fail; another ffmpeg is tried anew.
func TestEncoders_ListedButBroken(t *testing.T) {
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
	got, err := Encoders(context.Background(), Tools{FFmpeg: fake, Version: "1"}, dir)
	must(t, err)
	if !slices.Equal(got, []string{"libx264"}) {
		t.Errorf("got %v, want libx264", got)
	}
	runs, err := os.ReadFile(fake + ".runs")
	must(t, err)
	again, err := Encoders(context.Background(), Tools{FFmpeg: fake, Version: "1"}, dir)
	must(t, err)
	if since, err := os.ReadFile(fake + ".runs"); err != nil || len(since) != len(runs) || !slices.Equal(got, again) {
		t.Errorf("second call: got %v and trials %s, want the cached answer", again, since[len(runs):])
	}
	must(t, os.WriteFile(fake, []byte(strings.ReplaceAll(script, "*libx265*) exit 1", "*libx265*) exit 0")), 0o755))
	got, err = Encoders(context.Background(), Tools{FFmpeg: fake, Version: "2"}, dir)
	must(t, err)
	if !slices.Equal(got, []string{"libx264", "libx265"}) {
		t.Errorf("after an upgrade: got %v, want libx264 and libx265", got)
	}
}

func TestMachine_GPU(t *testing.T) {
	facts, err := Machine([]string{"libx264", "h264_nvenc", "hevc_nvenc"})
	must(t, err)
	if !facts.HasGPU || facts.GPUType != "nvidia" ||
		!slices.Equal(facts.GPUCapabilities, []string{"h264_nvenc", "hevc_nvenc"}) {
		t.Errorf("got %+v, want an NVIDIA GPU with both encoders", facts)
	}
}
