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

// body reads a stream without its tail, which seals the rest with a checksum.
type body struct {
	r    *bufio.Reader
	sum  hash.Hash
	seal func(sum []byte) []byte // the tail for a checksum
	tail int                     // its length
	err  error                   // of the underlying reader, io.EOF included
}

func newBody(r io.Reader, seal func(sum []byte) []byte) *body {
	sum := sha256.New()
	return &body{r: bufio.NewReaderSize(r, 256<<10), sum: sum, seal: seal, tail: len(seal(sum.Sum(nil)))}
}

func (b *body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	// With a byte beyond the length of the tail, the buffered bytes before that length are body.
	if _, err := b.r.Peek(b.tail + 1); err != nil {
		b.err = err
		return 0, err
	}
	ahead, err := b.r.Peek(b.r.Buffered())
	if err != nil {
		return 0, err
	}
	n := copy(p, ahead[:len(ahead)-b.tail])
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

// plainSeal is a tail that is the checksum itself.
func plainSeal(sum []byte) []byte { return sum }

// verify checks the checksum once the body was read to its end.
func (b *body) verify() error {
	if _, err := io.Copy(io.Discard, b); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	want, err := io.ReadAll(b.r)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if !bytes.Equal(b.seal(b.sum.Sum(nil)), want) {
		return fmt.Errorf("%w: wrong checksum", ErrCorrupt)
	}
	return nil
}
