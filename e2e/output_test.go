package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ffrtmp/ffrtmp"
)

// checkFilm holds the output of a completed encode of the film against what was asked
// for and against the job's record. Every frame of it is decoded.
func (s *site) checkFilm(j ffrtmp.Job, name string) {
	s.t.Helper()
	if j.Status != ffrtmp.Completed {
		s.t.Fatalf("job %s is %s: %s\n%s\n%s", j.ID, j.Status, j.Error, j.Logs, s.history(j.ID))
	}
	path := filepath.Join(s.MediaRoot(), name)
	data, err := os.ReadFile(path)
	s.must(err)
	sum := sha256.Sum256(data)
	if j.Output == nil || j.Output.Path != path || j.Output.SizeBytes != int64(len(data)) || j.Output.SHA256 != hex.EncodeToString(sum[:]) {
		s.t.Errorf("the record %+v is not that of the file, %d bytes with SHA-256 %x", j.Output, len(data), sum)
	}
	out, err := exec.Command("ffprobe", "-v", "error", "-count_frames", "-of", "json",
		"-show_entries", "stream=codec_name,height,nb_read_frames:format=duration", path).CombinedOutput()
	if err != nil {
		s.t.Fatalf("ffprobe: %v\n%s", err, out)
	}
	var found struct {
		Streams []struct {
			Codec  string `json:"codec_name"`
			Height int    `json:"height"`
			Frames string `json:"nb_read_frames"`
		} `json:"streams"`
		Format struct {
			Duration string `json:"duration"`
		} `json:"format"`
	}
	if err := json.Unmarshal(out, &found); err != nil {
		s.t.Fatalf("ffprobe: %v\n%s", err, out)
	}
	seconds, _ := strconv.ParseFloat(found.Format.Duration, 64)
	if math.Abs(seconds-filmSeconds) > 0.5 || len(found.Streams) != 2 {
		s.t.Fatalf("the output is not the film:\n%s", out)
	}
	video := found.Streams[0]
	frames, _ := strconv.ParseFloat(video.Frames, 64)
	// At either end a frame may be repeated to fit the sound.
	if video.Codec != "h264" || video.Height != 180 || math.Abs(frames-filmFPS*filmSeconds) > 2 {
		s.t.Errorf("the output's picture is not the film's:\n%s", out)
	}
}

// workFiles are the outputs that are being written.
func (s *site) workFiles() []string {
	s.t.Helper()
	var found []string
	s.must(filepath.WalkDir(s.MediaRoot(), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.Contains(d.Name(), ".part") {
			found = append(found, path)
		}
		return err
	}))
	return found
}
