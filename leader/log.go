package leader

import (
	"bytes"
	"io"
	"strings"
	"sync"

	"github.com/ffrtmp/ffrtmp"
)

// Log is the end of a running attempt's log, in memory, as its node reports it. It
// may be read by many while the Service writes it.
type Log struct {
	mu     sync.Mutex
	offset int64  // bytes of the attempt's log before data
	data   []byte // at most ffrtmp.MaxLogBytes
	end    error  // why no more will come, or nil
	more   chan struct{}
}

func newLog() *Log { return &Log{more: make(chan struct{})} }

// Read returns what the log holds from offset on and where that begins: later than
// offset when the log no longer goes back so far. The error says that no more will
// come: io.EOF after the last of the log, or a NoLeader error when this master no
// longer leads. Without an error, more is closed when there is something new.
func (l *Log) Read(offset int64) (text string, from int64, more <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from = min(max(offset, l.offset), l.length())
	return string(l.data[from-l.offset:]), from, l.more, l.end
}

// length is that of the attempt's log as far as it is known.
func (l *Log) length() int64 { return l.offset + int64(len(l.data)) }

// append adds a report that begins at offset bytes of the attempt's log. What is
// known already is skipped; after a gap the log begins anew at offset.
func (l *Log) append(offset int64, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.length() - offset
	switch {
	case l.end != nil || known >= int64(len(text)):
		return
	case known >= 0:
		text = text[known:]
	default:
		l.offset, l.data = offset, nil
	}
	l.add(text)
}

// extend adds a report that does not say where in the log it begins. It goes on
// where the last one ended, unless it is the last one again: agents repeat a report
// whose answer was lost.
func (l *Log) extend(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end == nil && !bytes.HasSuffix(l.data, []byte(text)) {
		l.add(text)
	}
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

// overlap is how much of the known log is looked for in the final one.
const overlap = 1024

// finish adds what the end of the complete log has beyond the reports.
func (l *Log) finish(tail string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end != nil {
		return
	}
	known := string(l.data[max(0, len(l.data)-overlap):])
	if i := strings.LastIndex(tail, known); i >= 0 && known != "" {
		tail = tail[i+len(known):]
	}
	l.end = io.EOF
	l.add(tail)
}

// abandon ends the log of a leader that leads no more.
func (l *Log) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end == nil {
		l.end = ffrtmp.Errorf(ffrtmp.NoLeader, "this master no longer leads")
		l.add("")
	}
}
