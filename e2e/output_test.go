package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
)

// checkFilm compares the output of a completed encode with the film and with the job's record.
// It decodes every frame.
func (s *site) checkFilm(j ffrtmp.Job, name string) {
	s.t.Helper()
	if j.Status != ffrtmp.Completed {
		s.t.Fatalf("job %s: got %s (%s), want completed\n%s\n%s", j.ID, j.Status, j.Error, j.Logs, s.history(j.ID))
	}
	path := filepath.Join(s.MediaRoot(), name)
	data, err := os.ReadFile(path)
	s.must(err)
	sum := sha256.Sum256(data)
	if j.Output == nil || j.Output.Path != path || j.Output.SizeBytes != int64(len(data)) ||
		j.Output.SHA256 != hex.EncodeToString(sum[:]) {
		s.t.Errorf("got record %+v, want that of the file: %d bytes, SHA-256 %x", j.Output, len(data), sum)
	}
	found, err := ffprobe.Run(s.t.Context(), path, "-count_frames")
	s.must(err)
	seconds, _ := ffprobe.Seconds(found.Format.Duration)
	if math.Abs(seconds-filmSeconds) > 0.5 || len(found.Streams) != 2 {
		s.t.Fatalf("got output %+v, want the film", found)
	}
	video := found.First("video")
	frames, _ := ffprobe.Seconds(video.Frames)
	// A frame at either end may be repeated to fit the audio.
	if video.Codec != "h264" || video.Height != 180 || math.Abs(frames-filmFPS*filmSeconds) > 2 {
		s.t.Errorf("got video %+v, want the film's", video)
	}
}

// workFiles returns the unpublished outputs.
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
