package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// outputTypes are the media types of outputs. Everything else is sent as bytes, so that no browser runs it.
var outputTypes = map[string]string{
	".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".webm": "video/webm",
	".mkv": "video/matroska", ".ts": "video/mp2t", ".flv": "video/x-flv", ".m4a": "audio/mp4", ".mp3": "audio/mpeg",
	".aac": "audio/aac", ".flac": "audio/flac", ".ogg": "audio/ogg", ".opus": "audio/ogg", ".wav": "audio/wav",
}

// outputFile is a file that a job has written.
type outputFile struct {
	*os.File
	info fs.FileInfo
}

// output answers with the file that a completed job has written, if it is below a media root of this master.
func (s *Server) output(c *call) (*answer, error) {
	j, err := s.job(c)
	if err != nil {
		return nil, err
	}
	if j.Status != ffrtmp.Completed || j.Output == nil {
		return nil, ffrtmp.Errorf(ffrtmp.Conflict, "job %s has no output file: it is %s", j.ID, j.Status)
	}
	f, err := openOutput(s.cfg.MediaRoots, j.Output)
	if err != nil {
		return nil, err
	}
	name := filepath.Base(j.Output.Path)
	mediaType := cmp.Or(outputTypes[strings.ToLower(filepath.Ext(name))], "application/octet-stream")
	header := http.Header{
		"Content-Type":            {mediaType},
		"Content-Disposition":     {mime.FormatMediaType("attachment", map[string]string{"filename": name})},
		"Content-Security-Policy": {"sandbox; default-src 'none'"},
		"X-Content-Type-Options":  {"nosniff"},
		"Cache-Control":           {"private, no-cache"},
		"Etag":                    {fmt.Sprintf(`"%s-%x"`, j.Output.SHA256, f.info.ModTime().UnixNano())},
	}
	return &answer{header: header, file: f}, nil
}

// openOutput opens a job's output below one of the roots. No link leads out of them, nothing but a regular file is
// opened, and a file of another size is not the job's any more.
func openOutput(roots []string, o *ffrtmp.Output) (*outputFile, error) {
	if len(roots) == 0 {
		return nil, ffrtmp.Errorf(ffrtmp.NotFound, "this master serves no outputs: it has no --media-root")
	}
	for _, root := range roots {
		name, err := filepath.Rel(root, o.Path)
		if err != nil || name == "." || !filepath.IsLocal(name) {
			continue
		}
		f, err := openRegular(root, name)
		if err != nil {
			continue
		}
		if f.info.Size() != o.SizeBytes {
			f.Close()
			return nil, ffrtmp.Errorf(ffrtmp.Conflict, "the output has been changed: it has %d bytes, not %d",
				f.info.Size(), o.SizeBytes)
		}
		return f, nil
	}
	return nil, ffrtmp.Errorf(ffrtmp.NotFound, "the output is not below a media root of this master")
}

var errIrregular = errors.New("not a regular file")

// openRegular opens a regular file below a directory, without waiting for the writer of a FIFO.
func openRegular(dir, name string) (*outputFile, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errIrregular
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &outputFile{file, info}, nil
}

// sendOutput sends a file, or the ranges of it that are asked for, and closes it.
func (s *Server) sendOutput(w http.ResponseWriter, c *call, f *outputFile) {
	defer f.Close()
	ctx, cancel := s.untilStopping(c)
	defer cancel()
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil {
		panic(http.ErrAbortHandler)
	}
	http.ServeContent(newFlushWriter(w, true), c.Request, "", f.info.ModTime(), ctxSeeker{ctx, f})
}

// ctxSeeker reads until its context is done.
type ctxSeeker struct {
	ctx context.Context
	io.ReadSeeker
}

func (c ctxSeeker) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.ReadSeeker.Read(p)
}
