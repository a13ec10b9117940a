package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// The film is far longer than any test lets an encode of it last.
const (
	filmSeconds = 60
	filmFPS     = 25
)

func makeFilm(path string) error {
	out, err := exec.Command(
		"ffmpeg",
		"-hide_banner",
		"-loglevel",
		"error",
		"-nostdin",
		"-f",
		"lavfi",
		"-i",
		fmt.Sprintf("testsrc2=size=320x180:rate=%d", filmFPS),
		"-f",
		"lavfi",
		"-i",
		"sine=frequency=440:sample_rate=48000",
		"-t",
		strconv.Itoa(filmSeconds),
		"-c:v",
		"libx264",
		"-preset",
		"ultrafast",
		"-pix_fmt",
		"yuv420p",
		"-c:a",
		"aac",
		path,
	).CombinedOutput()
	if err != nil {
		return fmt.Errorf("create the film: %w\n%s", err, out)
	}
	return nil
}

// source is an HTTP server that sends a film in real time, like a camera, until it is released.
// An encode of it lasts as long as a test needs, on any machine.
type source struct {
	url      string
	beat     time.Duration // between pieces
	released chan struct{}
	once     sync.Once
}

func newSource(t *testing.T) *source {
	t.Helper()
	return newPacedSource(t, pieceLength)
}

// pieceLength is how much of the film is sent at once.
const pieceLength = 100 * time.Millisecond

// newPacedSource sends a piece of the film every beat.
func newPacedSource(t *testing.T, beat time.Duration) *source {
	t.Helper()
	film, err := os.ReadFile(shared.film)
	if err != nil {
		t.Fatal(err)
	}
	s := &source{beat: beat, released: make(chan struct{})}
	server := httptest.NewServer(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, film) }),
	)
	t.Cleanup(func() {
		s.release()
		server.CloseClientConnections()
		server.Close()
	})
	s.url = server.URL + "/film.mkv"
	return s
}

// release sends the rest as fast as it is read.
func (s *source) release() { s.once.Do(func() { close(s.released) }) }

func (s *source) serve(w http.ResponseWriter, r *http.Request, film []byte) {
	piece := len(film) * int(pieceLength.Milliseconds()) / (filmSeconds * 1000)
	tick := time.NewTicker(s.beat)
	defer tick.Stop()
	w.Header().Set("Content-Length", strconv.Itoa(len(film)))
	// Enough at once for ffmpeg to know what it is.
	for n := min(len(film), 20*piece); len(film) > 0; n = min(len(film), piece) {
		if _, err := w.Write(film[:n]); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		film = film[n:]
		select {
		case <-tick.C:
		case <-s.released:
		case <-r.Context().Done():
			return
		}
	}
}

// encode returns a job that encodes the source to a file in the media root.
func (s *source) encode(output string, parameters map[string]any) ffrtmp.Spec {
	all := map[string]any{"input": s.url, "output": output, "preset": "ultrafast", "resolution": "320x180"}
	maps.Copy(all, parameters)
	return ffrtmp.Spec{Scenario: "360p-h264", Parameters: object(all)}
}

// pattern returns a job that encodes a test pattern.
func pattern(scenario string, parameters map[string]any) ffrtmp.Spec {
	return ffrtmp.Spec{Scenario: scenario, Parameters: object(parameters)}
}

func object(fields map[string]any) json.RawMessage {
	data, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return data
}
