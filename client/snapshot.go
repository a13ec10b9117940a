package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
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
