package leader

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

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
		{name: "the end adds what is new", steps: []step{{0, "one\ntwo\n"}}, tail: "one\ntwo\nthree\n", want: "one\ntwo\nthree\n"},
		{name: "the end is all there is", tail: "three\n", want: "three\n"},
		{name: "beyond the end", steps: []step{{0, "ab"}}, from: 99, want: "", wantFrom: 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLog()
			for _, s := range c.steps {
				l.append(s.offset, s.text)
			}
			if c.tail != "" {
				l.finish(c.tail)
			}
			text, from, _, err := l.Read(c.from)
			if text != c.want || from != c.wantFrom {
				t.Errorf("%d bytes from %d, want %d from %d: %.40q", len(text), from, len(c.want), c.wantFrom, text)
			}
			if ended := errors.Is(err, io.EOF); ended != (c.tail != "") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestLogWakesItsReaders(t *testing.T) {
	l := newLog()
	for _, c := range []struct {
		name   string
		change func()
	}{
		{"report", func() { l.append(0, "ab") }},
		{"end", func() { l.finish("ab") }}, // after it there is no report
	} {
		_, _, more, _ := l.Read(0)
		c.change()
		select {
		case <-more:
		default:
			t.Errorf("%s: not woken", c.name)
		}
	}
	l = newLog()
	_, _, more, _ := l.Read(0)
	l.abandon()
	<-more
	if _, _, _, err := l.Read(0); ffrtmp.CodeOf(err) != ffrtmp.NoLeader {
		t.Errorf("abandoned: %v", err)
	}
}
