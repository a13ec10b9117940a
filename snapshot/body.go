package snapshot

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
)

// body reads a stream without its last 32 bytes, which are the checksum of the rest.
type body struct {
	r   *bufio.Reader
	sum hash.Hash
	err error // of the underlying reader, io.EOF included
}

func newBody(r io.Reader) *body {
	return &body{r: bufio.NewReaderSize(r, 256<<10), sum: sha256.New()}
}

func (b *body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	// With a byte beyond the length of a checksum, the buffered bytes before that length are body.
	if _, err := b.r.Peek(sha256.Size + 1); err != nil {
		b.err = err
		return 0, err
	}
	ahead, err := b.r.Peek(b.r.Buffered())
	if err != nil {
		return 0, err
	}
	n := copy(p, ahead[:len(ahead)-sha256.Size])
	b.sum.Write(p[:n])
	_, err = b.r.Discard(n)
	return n, err
}

// failed returns the error of the underlying reader, nil for io.EOF.
func (b *body) failed() error {
	if b.err == nil || errors.Is(b.err, io.EOF) {
		return nil
	}
	return b.err
}

// verify checks the checksum once the body was read to its end.
func (b *body) verify() error {
	if _, err := io.Copy(io.Discard, b); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	want, err := io.ReadAll(b.r)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if !bytes.Equal(b.sum.Sum(nil), want) {
		return fmt.Errorf("%w: wrong checksum", ErrCorrupt)
	}
	return nil
}
