package leader

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// A log keeps its tail and known positions, whatever the order of its reports.
func TestLog(t *testing.T) {
	type step struct {
		offset int64
		text   string
	}
	long := strings.Repeat("x", ffrtmp.MaxLogBytes)
	for _, c := range []struct {
		name     string
		steps    []step
		tail     string
		from     int64
		want     string
		wantFrom int64
	}{
		{name: "empty"},
		{name: "reports in order", steps: []step{{0, "ab"}, {2, "cd"}}, want: "abcd"},
		{name: "read on", steps: []step{{0, "ab"}, {2, "cd"}}, from: 2, want: "cd", wantFrom: 2},
		{name: "repeated", steps: []step{{0, "ab"}, {0, "ab"}, {0, "abc"}}, want: "abc"},
		{name: "overlapping", steps: []step{{0, "ab"}, {1, "bcd"}}, want: "abcd"},
		{name: "a gap", steps: []step{{0, "ab"}, {10, "kl"}}, want: "kl", wantFrom: 10},
		{name: "late", steps: []step{{10, "kl"}, {0, "ab"}}, want: "kl", wantFrom: 10},
		{name: "bounded", steps: []step{{0, "abc"}, {3, long}}, want: long, wantFrom: 3},
		{
			name: "the end adds what is new", steps: []step{{0, "one\ntwo\n"}},
			tail: "one\ntwo\nthree\n", want: "one\ntwo\nthree\n",
		},
		{name: "the end is all there is", tail: "three\n", want: "three\n"},
		{name: "beyond the end", steps: []step{{0, "ab"}}, from: 99, want: "", wantFrom: 99},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLog()
			for _, s := range c.steps {
				l.append(s.offset, s.text)
			}
			if c.tail != "" {
				l.finish(l.locate(c.tail), c.tail)
			}
			text, from, _, err := l.Read(c.from)
			if text != c.want || from != c.wantFrom {
				t.Errorf("got %d bytes from %d, want %d from %d: %.40q", len(text), from, len(c.want), c.wantFrom, text)
			}
			if ended := errors.Is(err, io.EOF); ended != (c.tail != "") {
				t.Errorf("got error %v, want io.EOF after the end only", err)
			}
		})
	}
}

// Every change of a log wakes its readers.
func TestLog_WakesReaders(t *testing.T) {
	l := newLog()
	for _, c := range []struct {
		name   string
		change func()
	}{
		{"report", func() { l.append(0, "ab") }},
		{"end", func() { l.finish(0, "ab") }}, // after it there is no report
	} {
		_, _, more, _ := l.Read(0)
		c.change()
		select {
		case <-more:
		default:
			t.Errorf("%s: got a waiting reader, want it woken", c.name)
		}
	}
	l = newLog()
	_, _, more, _ := l.Read(0)
	l.abandon()
	<-more
	if _, _, _, err := l.Read(0); ffrtmp.CodeOf(err) != ffrtmp.NoLeader {
		t.Errorf("got %v, want no_leader", err)
	}
}

// A reader resumes at a new leader, whose log is empty until the node's next report.
func TestLog_ResumedAtANewLeader(t *testing.T) {
	for _, c := range []struct {
		name     string
		report   func(l *Log)
		want     string
		wantFrom int64
	}{
		{"report with an overlap", func(l *Log) { l.append(90, "0123456789abc") }, "abc", 100},
		{"report after a gap", func(l *Log) { l.append(150, "abc") }, "abc", 150},
		{"report without an offset", func(l *Log) { l.extend("abc") }, "abc", 100},
		{"end of the log", func(l *Log) { l.finish(90, "0123456789abc") }, "abc", 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLog()
			if text, from, _, _ := l.Read(100); text != "" || from != 100 {
				t.Fatalf("got %q from %d, want nothing from 100", text, from)
			}
			c.report(l)
			if text, from, _, _ := l.Read(100); text != c.want || from != c.wantFrom {
				t.Errorf("got %q from %d, want %q from %d", text, from, c.want, c.wantFrom)
			}
		})
	}
}

// Two leaders count the reports of an agent that sends no offsets from different bytes.
func TestLog_PositionOfAnotherLeader(t *testing.T) {
	l := newLog()
	l.extend("abc")
	if _, from, _, _ := l.Read(100); from != 3 {
		t.Fatalf("got position %d, want 3", from)
	}
	l.extend("def")
	if text, from, _, _ := l.Read(3); text != "def" || from != 3 {
		t.Errorf("got %q from %d, want %q from 3", text, from, "def")
	}
}
