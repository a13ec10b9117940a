package leader

import (
	"bytes"
	"io"
	"strings"
	"sync"

	"github.com/ffrtmp/ffrtmp"
)

// Log is the tail of a running attempt's log, in memory, as its node reports it. One
// goroutine may write it while many read it.
type Log struct {
	mu       sync.Mutex
	offset   int64  // bytes of the attempt's log before data
	data     []byte // at most ffrtmp.MaxLogBytes
	relative bool   // the reports have no offsets, so offset is a guess
	asked    int64  // the furthest position that a reader asked for while the log was empty
	end      error  // why the log has ended, or nil
	more     chan struct{}
}

func newLog() *Log { return &Log{more: make(chan struct{})} }

// Read returns the log from offset on, and where the returned text begins: after offset if the
// older part is no longer kept. The error is io.EOF at the end of the log, or a NoLeader error
// when this master no longer leads. Without an error, more is closed when the log grows or ends.
func (l *Log) Read(offset int64) (text string, from int64, more <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.length() == 0 {
		l.asked = max(l.asked, offset)
	}
	from = max(offset, l.offset)
	if l.relative {
		from = min(from, l.length()) // the reader counted from another leader's guess
	}
	return string(l.data[min(from-l.offset, int64(len(l.data))):]), from, l.more, l.end
}

// length is that of the attempt's log as far as it is known.
func (l *Log) length() int64 { return l.offset + int64(len(l.data)) }

// append adds a report that begins at offset bytes of the attempt's log.
func (l *Log) append(offset int64, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end == nil {
		l.put(offset, text)
	}
}

// put adds text that begins at offset. What is known already is skipped; after a gap the
// log starts again at offset. The caller holds mu.
func (l *Log) put(offset int64, text string) {
	known := l.length() - offset
	switch {
	case known >= int64(len(text)):
		return
	case known >= 0:
		text = text[known:]
	default:
		l.offset, l.data = offset, nil
	}
	l.add(text)
}

// extend adds a report without an offset. It begins at the end of the last one, unless it repeats
// the last one: agents repeat a report whose answer was lost. A new leader has no last report;
// there it begins at the furthest position of a reader.
func (l *Log) extend(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end != nil || bytes.HasSuffix(l.data, []byte(text)) {
		return
	}
	if l.length() == 0 {
		l.offset = l.asked
	}
	l.relative = true
	l.add(text)
}

// add appends text and wakes readers. The caller holds mu.
func (l *Log) add(text string) {
	l.data = append(l.data, text...)
	if cut := len(l.data) - ffrtmp.MaxLogBytes; cut > 0 {
		l.data = l.data[cut:]
		l.offset += int64(cut)
	}
	close(l.more)
	l.more = make(chan struct{})
}

// maxOverlap bounds how much of the known log is searched for in the final one.
const maxOverlap = 1024

// locate returns where the final part of the log begins, by its overlap with the known part.
// Without an overlap, it follows the known part.
func (l *Log) locate(tail string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := string(l.data[max(0, len(l.data)-maxOverlap):])
	if i := strings.LastIndex(tail, known); i >= 0 && known != "" {
		return max(0, l.length()-int64(i+len(known)))
	}
	return l.length()
}

// finish ends the log with its last part, which begins at offset.
func (l *Log) finish(offset int64, tail string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end == nil {
		l.end = io.EOF
		l.put(offset, tail)
		l.add("")
	}
}

// abandon ends the log of a leader that no longer leads.
func (l *Log) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end == nil {
		l.end = ffrtmp.Errorf(ffrtmp.NoLeader, "this master no longer leads")
		l.add("")
	}
}
