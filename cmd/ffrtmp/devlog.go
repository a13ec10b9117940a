package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

const (
	// repeatAfter is how long a repeated line of one process is hidden: a leader logs a lost follower several times a
	// second.
	repeatAfter = 30 * time.Second
	maxRecent   = 512
)

// devLog shows the output of the processes while the cluster runs. Output of their start and stop is only in their log
// files, and in the error if one does not start.
type devLog struct {
	mu     sync.Mutex
	w      io.Writer
	term   cli.Terminal
	up     bool
	recent map[string]time.Time // by line without its time: when it was shown
}

// open shows the log from now on, after first has printed.
func (l *devLog) open(first func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up = true
	return first()
}

// close hides the log from now on.
func (l *devLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up = false
}

// stampForm is the time and level at the front of a line.
var stampForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)[.\d]*(?:Z|[+-]\d\d:?\d\d) (?:\[(\w+)\] *)?`)

var levelColours = map[string]cli.Colour{"ERROR": cli.Red, "WARN": cli.Yellow}

// Write takes one line, "name | text".
func (l *devLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name, text, _ := strings.Cut(strings.TrimRight(string(p), "\n"), " | ")
	text = cli.Printable(text)
	at, level := time.Now().UTC().Format(time.TimeOnly), ""
	if m := stampForm.FindStringSubmatch(text); m != nil {
		at, level, text = m[1], m[2], text[len(m[0]):]
	}
	if !l.up || !l.fresh(name+level+text) {
		return len(p), nil
	}
	line := fmt.Sprintf("%s %s %s %s\n", l.term.Paint(cli.Faint, at),
		l.term.Paint(nameColour(name), fmt.Sprintf("%-8s", name)),
		l.term.Paint(levelColours[level], fmt.Sprintf("%-5s", level)), text)
	if _, err := io.WriteString(l.w, line); err != nil {
		return 0, err
	}
	return len(p), nil
}

// fresh reports whether a line has not been shown within repeatAfter.
func (l *devLog) fresh(line string) bool {
	now := time.Now()
	if at, ok := l.recent[line]; ok && now.Sub(at) < repeatAfter {
		return false
	}
	if l.recent == nil || len(l.recent) >= maxRecent {
		l.recent = map[string]time.Time{}
	}
	l.recent[line] = now
	return true
}

// nameColour is the colour of a process's name.
func nameColour(name string) cli.Colour {
	if strings.HasPrefix(name, "agent") {
		return cli.Cyan
	}
	return []cli.Colour{cli.Green, cli.Magenta, cli.Blue}[int(name[len(name)-1]-'0')%3]
}

// watch reports a process that ends by itself.
func (l *devLog) watch(ctx context.Context, p *devcluster.Process) {
	err := p.Wait(ctx)
	if ctx.Err() != nil {
		return
	}
	how := "exit status 0"
	if cause := errors.Unwrap(err); cause != nil {
		how = cause.Error()
	}
	_, _ = fmt.Fprintf(l, "%s | ended: %s\n", p.Name(), how)
}
