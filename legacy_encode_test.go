package ffrtmp_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
)

// v22Parameters are the parameters that a v2.2 agent reads, as it decodes them.
type v22Parameters struct {
	Input      string  `json:"input"`
	Output     string  `json:"output"`
	OutputMode string  `json:"output_mode"`
	RTMPURL    string  `json:"rtmp_url"`
	Engine     string  `json:"engine"`
	Codec      string  `json:"codec"`
	Bitrate    string  `json:"bitrate"`
	Preset     string  `json:"preset"`
	Duration   float64 `json:"duration"`
	Width      float64 `json:"resolution_width"`
	Height     float64 `json:"resolution_height"`
	FrameRate  float64 `json:"frame_rate"`
	Resolution string  `json:"resolution"`
	FPS        float64 `json:"fps"`
}

// v22Run does with a job's parameters what a v2.2 agent does, and returns the output. The stream goes to a file.
func v22Run(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var p v22Parameters
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	if p.Engine != "ffmpeg" {
		t.Fatalf("got engine %q, want ffmpeg: a v2.2 agent would choose", p.Engine)
	}
	whole := func(f, otherwise float64) string { return strconv.Itoa(int(cmp.Or(f, otherwise))) }
	bitrate, preset := cmp.Or(p.Bitrate, "2000k"), cmp.Or(p.Preset, "veryfast")
	codec := cmp.Or(p.Codec, "libx264")
	dir := t.TempDir()
	if p.OutputMode == "rtmp" || p.OutputMode == "stream" {
		out := filepath.Join(dir, "stream.flv")
		run(t, "-f", "lavfi", "-i", "testsrc=size="+cmp.Or(p.Resolution, "1280x720")+":rate="+whole(p.FPS, 30),
			"-f", "lavfi", "-i", "sine=frequency=1000:sample_rate=48000", "-t", whole(p.Duration, 0),
			"-c:v", codec, "-preset", preset, "-tune", "zerolatency", "-threads", "0",
			"-b:v", bitrate, "-maxrate", bitrate, "-bufsize", bitrate, "-pix_fmt", "yuv420p",
			"-g", whole(2*p.FPS, 60), "-c:a", "aac", "-b:a", "128k", "-ar", "48000", "-f", "flv", out)
		return out
	}
	if p.Input != "" {
		t.Fatalf("got input %q, want none: it would be encoded as it is", p.Input)
	}
	in, out := filepath.Join(dir, "in.mp4"), filepath.Join(dir, "out.mp4")
	size := whole(p.Width, 1280) + "x" + whole(p.Height, 720)
	run(t, "-y", "-f", "lavfi", "-i", "testsrc2=size="+size+":rate="+whole(p.FrameRate, 30),
		"-vf", "noise=alls=10:allf=u,format=yuv420p", "-t", whole(min(p.Duration, 120), 10),
		"-c:v", "libx264", "-preset", "ultrafast", "-crf", "23", in)
	run(t, "-t", whole(p.Duration, 0), "-i", in, "-c:v", codec, "-b:v", bitrate, "-preset", preset, "-y", out)
	return out
}

func run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", args...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg %q: %v\n%s", args, err, out)
	}
}

// A v2.2 agent's ffmpeg makes what the scenario says.
func TestLegacy_CommandLine(t *testing.T) {
	for _, c := range []struct{ scenario, parameters, want string }{
		{"4K60-h264", `{"preset":"ultrafast"}`, "h264 3840x2160 60/1 1s"},
		{"1440p25", `{"preset":"ultrafast"}`, "h264 2560x1440 25/1 1s"},
		{"1080p30-h265", `{"preset":"ultrafast","bitrate":"2M"}`, "hevc 1920x1080 30/1 1s"},
		{"live-720p60-h264", `{"preset":"ultrafast","engine":"auto"}`, "h264 1280x720 60/1 1s"},
		{"480p30-vp9", `{"bitrate":"4M"}`, "vp9 854x480 30/1 1s"},
		{"360p24-hevc", ``, "hevc 640x360 24/1 1s"},
		{"360p24-vp9", ``, "vp9 640x360 24/1 1s"},
		{"360p24-av1", ``, "av1 640x360 24/1 1s"},
		{"360p24-av1", `{"bitrate":"300k","preset":"12"}`, "av1 640x360 24/1 1s"},
		{"1080p60-vp9", `{"resolution":"128x96","fps":15,"codec":"h264"}`, "h264 128x96 15/1 1s"},
		{
			"1080p", `{"resolution_width":160,"resolution_height":90,"frame_rate":10,"duration_seconds":2}`,
			"h264 160x90 10/1 2s",
		},
		{"live-360p20", `{"rtmp_url":"rtmp://host/live","stream_key":"k"}`, "h264 640x360 20/1 1s"},
	} {
		t.Run(c.scenario+c.parameters, func(t *testing.T) {
			given := map[string]any{"duration": 1}
			if c.parameters != "" {
				if err := json.Unmarshal([]byte(c.parameters), &given); err != nil {
					t.Fatal(err)
				}
			}
			if given["duration_seconds"] != nil {
				delete(given, "duration")
			}
			raw, err := json.Marshal(given)
			if err != nil {
				t.Fatal(err)
			}
			filled, err := ffrtmp.LegacyParameters(c.scenario, raw)
			if err != nil {
				t.Fatal(err)
			}
			if got := probed(t, v22Run(t, filled)); got != c.want {
				t.Errorf("got %s, want %s, with %s", got, c.want, filled)
			}
		})
	}
}

func probed(t *testing.T, path string) string {
	t.Helper()
	r, err := ffprobe.Run(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Fatalf("got %v, want an output", err)
	}
	v := r.First("video")
	seconds, _ := ffprobe.Seconds(r.Format.Duration)
	return fmt.Sprintf("%s %s %s %.0fs", v.Codec, v.Size(), v.BaseRate, seconds)
}

// The parameters name the defaults of the job, not v2.2's: no bit rate, no time limit, and the whole RTMP URL.
func TestLegacy_Defaults(t *testing.T) {
	for _, c := range []struct{ scenario, parameters, name, want string }{
		{"720p", `{}`, "bitrate", `"0"`},
		{"720p", `{}`, "duration", `10`},
		{"720p", `{"input":""}`, "input", ``},
		{
			"720p", `{}`, "resource_limits",
			`{"timeout_sec":2592000,"max_cpu_percent":0,"max_memory_mb":0,"max_disk_mb":0}`,
		},
		{
			"720p", `{"resource_limits":{"timeout_sec":60}}`, "resource_limits",
			`{"timeout_sec":60,"max_cpu_percent":0,"max_memory_mb":0,"max_disk_mb":0}`,
		},
		{"720p30", `{"rtmp_url":"rtmp://host/live","stream_key":"k"}`, "rtmp_url", `"rtmp://host/live/k"`},
		{"720p30", `{"rtmp_url":"rtmp://host/live","stream_key":"k"}`, "output_mode", `"rtmp"`},
		{"720p30", `{"rtmp_url":"rtmp://host/live","stream_key":"k"}`, "bitrate", `"2764800"`},
		{"4K60-hevc", `{"hwaccel":"nvenc"}`, "codec", `"hevc_nvenc"`},
	} {
		filled, err := ffrtmp.LegacyParameters(c.scenario, json.RawMessage(c.parameters))
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(filled, &fields); err != nil {
			t.Fatal(err)
		}
		if got := string(fields[c.name]); got != c.want {
			t.Errorf("%s %s: got %s %s, want %s", c.scenario, c.parameters, c.name, got, c.want)
		}
	}
}
