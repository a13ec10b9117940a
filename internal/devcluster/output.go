package devcluster

import (
	"bytes"
	"io"
	"sync"
)

// prefixer writes whole lines with a prefix, each in one call.
type prefixer struct {
	prefix string
	w      io.Writer
	line   []byte
}

func (p *prefixer) Write(data []byte) (int, error) {
	for rest := data; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			p.line = append(p.line, rest...)
			break
		}
		p.line = append(p.line, rest[:end]...)
		rest = rest[end:]
		if _, err := p.w.Write(append([]byte(p.prefix), p.line...)); err != nil {
			return 0, err
		}
		p.line = p.line[:0]
	}
	return len(data), nil
}

// lockedWriter is a writer for concurrent use.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
