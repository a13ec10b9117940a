package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// snapshotSilence is how long a master may send nothing of a snapshot.
const snapshotSilence = 30 * time.Second

// Snapshot calls read with a backup of the whole state: a tar archive, compressed with gzip, of a manifest, a SQLite
// database and checksums. When the connection breaks, read is called again with a backup from the start. An error of
// read itself ends the call. It needs the scope admin.
func (c *Client) Snapshot(ctx context.Context, read func(io.Reader) error, opts ...Option) error {
	call := newCall(http.MethodGet, "/cluster/snapshot", nil, nil, opts)
	call.wait = snapshotTime
	call.silence = snapshotSilence
	call.stream = func(_ http.Header, body io.Reader) error {
		source := &errorReader{r: body}
		err := read(source)
		if source.err != nil {
			return &failure{err: fmt.Errorf("reading the snapshot: %w", source.err)}
		}
		return err
	}
	return c.do(ctx, call)
}

// snapshotTime is how long a master may take to make a snapshot before it sends the first byte.
const snapshotTime = 10 * time.Minute

// errorReader keeps the error of a reader.
type errorReader struct {
	r   io.Reader
	err error
}

func (e *errorReader) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		e.err = err
	}
	return n, err
}

// File is a file to send. A try that fails reads it again from the start.
type File struct {
	io.ReaderAt
	Size int64
	// Sent, if not nil, is called with how much of the file a try has read so far.
	Sent func(bytes int64)
}

func (f *File) reader() io.Reader {
	r := io.NewSectionReader(f, 0, f.Size)
	if f.Sent == nil {
		return r
	}
	return &countedReader{r: r, sent: f.Sent}
}

// countedReader reports how much was read.
type countedReader struct {
	r    io.Reader
	n    int64
	sent func(int64)
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.sent(c.n)
	return n, err
}

// restoreTime is how long a restore may take.
const restoreTime = time.Hour

// Force makes RestoreSnapshot accept the snapshot of another cluster although this one has jobs.
func Force() Option { return func(c *call) { c.query.Set("force", "true") } }

// RestoreSnapshot replaces all jobs by those of a snapshot, or of a copy of a master's database, and ends every
// attempt. It needs the scope admin.
func (c *Client) RestoreSnapshot(ctx context.Context, file File, opts ...Option) (ffrtmp.RestoredSnapshot, error) {
	var answer ffrtmp.RestoredSnapshot
	call := write(http.MethodPost, "/cluster/restore", nil, &answer, opts)
	call.file, call.wait = &file, restoreTime
	err := c.do(ctx, call)
	return answer, err
}
