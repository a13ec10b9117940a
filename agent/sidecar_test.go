package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// A job's result lists the files of extracted subtitles and the loudness that was measured. Another job may not replace
// such a file.
func TestRun_SidecarsAndLoudness(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	text, film := filepath.Join(s.root, "text.srt"), filepath.Join(s.root, "film.mkv")
	if err := os.WriteFile(text, []byte("1\n00:00:00,500 --> 00:00:01,000\nHello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x36:rate=10", "-f", "lavfi",
		"-i", "sine=r=48000,volume=0.1", "-i", text, "-map", "0", "-map", "1", "-map", "2", "-t", "2", "-preset",
		"ultrafast", "-metadata:s:s:0", "language=eng", film).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.start()
	const extract = `"input":"film.mkv","preset":"ultrafast","subtitles":[{"language":"eng","mode":"extract"}]`
	j := f.awaitStatus(f.submit("360p-h264", `{"output":"out.mp4","loudness":-23,`+extract+`}`), ffrtmp.Completed)
	s.checkOutput(j, "out.mp4")
	data, err := os.ReadFile(filepath.Join(s.root, "out.eng.srt"))
	sum := sha256.Sum256(data)
	if err != nil || !strings.Contains(string(data), "Hello") || len(j.Output.Sidecars) != 1 ||
		j.Output.Sidecars[0] != (ffrtmp.Sidecar{
			Path: filepath.Join(s.root, "out.eng.srt"), SizeBytes: int64(len(data)), SHA256: hex.EncodeToString(sum[:]),
		}) {
		t.Errorf("got %+v, %s, %v, want the subtitles in a file", j.Output.Sidecars, data, err)
	}
	if l := j.Output.Loudness; len(l) != 1 || l[0].Mode != ffrtmp.LoudnessLinear || l[0].Source == nil ||
		l[0].Output == nil || math.Abs(l[0].Output.Integrated - -23) > 0.5 || l[0].Source.Integrated > -30 {
		t.Errorf("got %+v, want the loudness of one track", l)
	}
	j = f.awaitStatus(f.submit("remux", `{"output":"out.mkv","input":"film.mkv",`+
		`"subtitles":[{"language":"eng","mode":"extract"}]}`), ffrtmp.Failed)
	if j.FailureReason != ffrtmp.UserError || !strings.Contains(j.Error, "out.eng.srt exists") {
		t.Errorf("got %s: %s, want a user error: the file exists", j.FailureReason, j.Error)
	}
	if _, err := os.Stat(filepath.Join(s.root, "out.mkv")); err == nil {
		t.Error("got an output of a failed job, want none")
	}
	s.checkClean()
}
