package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ffrtmp/ffrtmp"
)

const (
	maxBar = 40
	minBar = 10
	// silence is how long masters may be quiet before the line says so.
	silence = 3 * time.Second
)

// barLine shows a job in one line of at most width columns:
//
//	Job 12  ████████████░░░░░░░░  60%  0:12 left  143 fps  4.8x  agent-1
//
// What does not fit is left out from the right, then the bar.
func barLine(s sighting, silent time.Duration, width int) string {
	j := s.job
	head := fmt.Sprintf("Job %d", j.SequenceNumber)
	quiet := ""
	if silent >= silence {
		quiet = fmt.Sprintf("no answer for %s, still trying", span(silent))
	}
	if j.Status == ffrtmp.Pending || j.Progress == 0 && !endless(j) && j.ProgressDetail == nil {
		return clip(printable(sentence(head, append(waiting(s), quiet)...)), width)
	}
	facts := append([]string{quiet}, runningFacts(j)...)
	bar := fmt.Sprintf("%3d%%", j.Progress)
	if endless(j) {
		bar = clock(j.ProgressDetail.OutTimeSeconds) + " encoded"
	}
	line := sentence(head, bar)
	for _, fact := range facts {
		longer := sentence(line, fact)
		if utf8.RuneCountInString(longer) <= width-minBar-len(columnGap) {
			line = longer
		}
	}
	room := min(maxBar, width-utf8.RuneCountInString(line)-len(columnGap))
	if !endless(j) && room >= minBar {
		line = strings.Replace(line, head, head+columnGap+drawBar(j.Progress, room), 1)
	}
	return clip(printable(line), width)
}

// textLine is the same without a bar, for a log.
func textLine(s sighting) string {
	j := s.job
	head := fmt.Sprintf("Job %d %s", j.SequenceNumber, j.Status)
	if j.Status == ffrtmp.Pending {
		return strings.Join(append([]string{head}, waiting(s)[1:]...), ": ")
	}
	if name := first(j.NodeName, j.NodeID); name != "" {
		head += " on " + name
	}
	facts := []string{fmt.Sprintf("%d%%", j.Progress)}
	if p := j.ProgressDetail; p != nil {
		facts = append(facts, encodeFacts(p)...)
	}
	return head + ": " + strings.Join(facts, ", ")
}

// endless reports whether an encode runs of which no end is known, such as a live one.
func endless(j ffrtmp.Job) bool {
	p := j.ProgressDetail
	return p != nil && j.Progress == 0 && p.ETASeconds == 0 && p.OutTimeSeconds > 0 && !j.Status.Terminal()
}

// waiting is the state of a job that makes no progress, and why.
func waiting(s sighting) []string {
	j := s.job
	facts := []string{string(j.Status)}
	if j.Status != ffrtmp.Pending {
		return append(facts, first(j.NodeName, j.NodeID))
	}
	if until := time.Until(j.NotBefore); until > 0 {
		return append(facts, fmt.Sprintf("retry %d of %d in %s: %s", j.RetryCount, j.MaxRetries, span(until), j.RetryReason))
	}
	if s.why.Summary != "" {
		facts = append(facts, s.why.Summary)
	}
	if s.why.Ahead > 0 {
		facts = append(facts, fmt.Sprintf("%d ahead", s.why.Ahead))
	}
	return facts
}

func runningFacts(j ffrtmp.Job) []string {
	var facts []string
	if j.Status != ffrtmp.Running {
		facts = append(facts, string(j.Status))
	}
	if p := j.ProgressDetail; p != nil && !j.Status.Terminal() {
		for _, fact := range encodeFacts(p) {
			if fact != string(j.Status) {
				facts = append(facts, fact)
			}
		}
	}
	facts = append(facts, first(j.NodeName, j.NodeID))
	if j.Attempt > 1 {
		facts = append(facts, fmt.Sprintf("attempt %d", j.Attempt))
	}
	return facts
}

// sentence joins what is not empty by gaps.
func sentence(head string, facts ...string) string {
	for _, fact := range facts {
		if fact != "" {
			head += columnGap + fact
		}
	}
	return head
}

func drawBar(percent, width int) string {
	full := width * max(0, min(100, percent)) / 100
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}
