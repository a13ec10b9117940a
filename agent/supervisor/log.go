package supervisor

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// segmentBytes is the size at which a log continues in a new file. Two are kept.
const segmentBytes = MaxLogBytes / 2

const segmentPrefix = "log."

// segment is a piece of a log, named by its offset.
type segment struct {
	path   string
	offset int64
	size   int64
}

func segments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []segment
	for _, entry := range entries {
		digits, ok := strings.CutPrefix(entry.Name(), segmentPrefix)
		offset, err := strconv.ParseInt(digits, 10, 64)
		if !ok || err != nil {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, segment{filepath.Join(dir, entry.Name()), offset, info.Size()})
	}
	slices.SortFunc(list, func(a, b segment) int { return int(a.offset - b.offset) })
	return list, nil
}

// logWriter writes lines with secrets redacted. It is for one goroutine.
type logWriter struct {
	dir      string
	redact   *strings.Replacer
	file     *os.File
	offset   int64 // of file
	size     int64
	segments []string
}

func newLogWriter(dir string, redact *strings.Replacer) (*logWriter, error) {
	w := &logWriter{dir: dir, redact: redact}
	return w, w.next()
}

func (w *logWriter) next() error {
	if w.file != nil {
		if err := w.file.Close(); err != nil {
			return err
		}
	}
	w.offset, w.size = w.offset+w.size, 0
	path := filepath.Join(w.dir, fmt.Sprintf("%s%015d", segmentPrefix, w.offset))
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	w.file = file
	w.segments = append(w.segments, path)
	if len(w.segments) > 2 {
		err = os.Remove(w.segments[0])
		w.segments = w.segments[1:]
	}
	return err
}

// maxLineBytes is where a line is cut. Redaction covers twice as much, so that no
// secret is cut and missed.
const maxLineBytes = 16 << 10

// line writes one line and returns it as written.
func (w *logWriter) line(s string) (string, error) {
	s = w.redact.Replace(s)
	s = strings.ToValidUTF8(s[:min(len(s), maxLineBytes)], "?")
	if w.size > 0 && w.size+int64(len(s)) >= segmentBytes {
		if err := w.next(); err != nil {
			return s, err
		}
	}
	n, err := w.file.WriteString(s + "\n")
	w.size += int64(n)
	return s, err
}

// readLog returns up to limit bytes of a log from offset, or from its oldest byte, and
// where they begin.
func readLog(dir string, offset int64, limit int) ([]byte, int64, error) {
	for {
		data, from, err := readSegments(dir, offset, limit)
		if !errors.Is(err, fs.ErrNotExist) {
			return data, from, err
		}
		// The oldest segment was removed meanwhile; there are newer ones.
		if _, err := os.Stat(dir); err != nil {
			return nil, offset, err
		}
	}
}

func readSegments(dir string, offset int64, limit int) ([]byte, int64, error) {
	list, err := segments(dir)
	if err != nil || len(list) == 0 {
		return nil, offset, err
	}
	from := max(offset, list[0].offset)
	var data []byte
	for _, s := range list {
		at := from + int64(len(data))
		if at < s.offset || at >= s.offset+s.size || len(data) >= limit {
			continue
		}
		f, err := os.Open(s.path)
		if err != nil {
			return nil, offset, err
		}
		part, err := io.ReadAll(io.NewSectionReader(f, at-s.offset, min(s.offset+s.size-at, int64(limit-len(data)))))
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, offset, err
		}
		data = append(data, part...)
	}
	return data, from, nil
}
