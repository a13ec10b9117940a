package agent

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// brokenServer serves a directory and breaks every response after some bytes.
type brokenServer struct {
	dir    string
	after  int
	broken atomic.Int64
}

func (s *brokenServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, err := os.Open(filepath.Join(s.dir, filepath.Base(r.URL.Path)))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer f.Close()
	http.ServeContent(&breaking{ResponseWriter: w, left: s.after, broken: &s.broken}, r, f.Name(), time.Time{}, f)
}

type breaking struct {
	http.ResponseWriter
	left   int
	broken *atomic.Int64
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) < b.left {
		b.left -= len(p)
		return b.ResponseWriter.Write(p)
	}
	_, _ = b.ResponseWriter.Write(p[:b.left])
	if err := http.NewResponseController(b.ResponseWriter).Flush(); err != nil {
		panic(err)
	}
	b.broken.Add(1)
	panic(http.ErrAbortHandler)
}

// An input on a server that breaks every response is read to its end, with ranges.
func TestRun_BrokenServer(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	server := &brokenServer{dir: t.TempDir(), after: 30_000}
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	for _, name := range []string{"film.mp4", "film.mkv"} { // the index of the first is at its end
		out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25",
			"-t", "2", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
			filepath.Join(server.dir, name)).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	s.start()
	for _, name := range []string{"film.mp4", "film.mkv"} {
		before := server.broken.Load()
		job := f.submit("360p-h264", `{"input":"`+web.URL+`/`+name+`","output":"`+name+`","preset":"ultrafast"}`)
		j := f.awaitStatus(job, ffrtmp.Completed)
		s.checkOutput(j, name)
		frames, err := exec.Command("ffprobe", "-v", "error", "-count_packets", "-select_streams", "v",
			"-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", filepath.Join(s.root, name)).Output()
		if got := strings.TrimSpace(string(frames)); err != nil || got != "50" {
			t.Errorf("%s: got %s frames (%v), want 50", name, got, err)
		}
		if n := server.broken.Load() - before; n < 3 {
			t.Errorf("%s: got %d broken responses, want several", name, n)
		}
	}
}
