package cli

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

const (
	maxBar = 40
	minBar = 10
	// silence is how long the masters may not answer before the line reports it.
	silence = 3 * time.Second
)

// progressLine shows a job in one line of at most columns:
//
//	Job 12  ████████████░░░░░░░░  60%  0:12 left  143 fps  4.8x  agent-1
//
// What does not fit is left out from the right, then the bar.
func progressLine(o Observation, silent time.Duration, columns int) string {
	j := o.Job
	head := fmt.Sprintf("Job %d", j.SequenceNumber)
	quiet := ""
	if silent >= silence {
		quiet = fmt.Sprintf("no answer for %s, retrying", Span(silent))
	}
	if j.Status == ffrtmp.Pending || j.Progress == 0 && !endless(j) && j.ProgressDetail == nil {
		return clip(Printable(joinFacts(head, append(waitingFacts(o), quiet)...)), columns)
	}
	facts := append([]string{quiet}, runningFacts(j)...)
	done := fmt.Sprintf("%3d%%", j.Progress)
	if endless(j) {
		done = Clock(j.ProgressDetail.OutTimeSeconds) + " encoded"
	}
	line := joinFacts(head, done)
	for _, fact := range facts {
		longer := joinFacts(line, fact)
		if width(longer) <= columns-minBar-len(columnGap) {
			line = longer
		}
	}
	left := min(maxBar, columns-width(line)-len(columnGap))
	if !endless(j) && left >= minBar {
		line = strings.Replace(line, head, head+columnGap+Bar(j.Progress, left), 1)
	}
	return clip(Printable(line), columns)
}

// textLine is the same without a bar, for a log.
func textLine(o Observation) string {
	j := o.Job
	head := fmt.Sprintf("Job %d %s", j.SequenceNumber, j.Status)
	if j.Status == ffrtmp.Pending {
		return strings.Join(append([]string{head}, waitingFacts(o)[1:]...), ": ")
	}
	if name := cmp.Or(j.NodeName, j.NodeID); name != "" {
		head += " on " + name
	}
	facts := []string{fmt.Sprintf("%d%%", j.Progress)}
	if p := j.ProgressDetail; p != nil {
		facts = append(facts, EncodeFacts(p)...)
	}
	return head + ": " + strings.Join(facts, ", ")
}

// endless reports whether the end of a running encode is unknown, as that of a live one is.
func endless(j ffrtmp.Job) bool {
	p := j.ProgressDetail
	return p != nil && j.Progress == 0 && p.ETASeconds == 0 && p.OutTimeSeconds > 0 && !j.Status.Terminal()
}

// waitingFacts is the state of a job that makes no progress, and why.
func waitingFacts(o Observation) []string {
	j := o.Job
	facts := []string{string(j.Status)}
	if j.Status != ffrtmp.Pending {
		return append(facts, cmp.Or(j.NodeName, j.NodeID))
	}
	if until := time.Until(j.NotBefore); until > 0 {
		return append(facts,
			fmt.Sprintf("retry %d of %d in %s: %s", j.RetryCount, j.MaxRetries, Span(until), j.RetryReason))
	}
	if o.Why.Summary != "" {
		facts = append(facts, o.Why.Summary)
	}
	if o.Why.Ahead > 0 {
		facts = append(facts, fmt.Sprintf("%d ahead", o.Why.Ahead))
	}
	return facts
}

func runningFacts(j ffrtmp.Job) []string {
	var facts []string
	if j.Status != ffrtmp.Running {
		facts = append(facts, string(j.Status))
	}
	if p := j.ProgressDetail; p != nil && !j.Status.Terminal() {
		for _, fact := range EncodeFacts(p) {
			if fact != string(j.Status) {
				facts = append(facts, fact)
			}
		}
	}
	facts = append(facts, cmp.Or(j.NodeName, j.NodeID))
	if j.Attempt > 1 {
		facts = append(facts, fmt.Sprintf("attempt %d", j.Attempt))
	}
	return facts
}

// EncodeFacts is what ffmpeg reports of an encode, the most useful first.
func EncodeFacts(p *ffrtmp.Progress) []string {
	var facts []string
	if p.Phase != "" && p.Phase != "encoding" {
		facts = append(facts, p.Phase)
	}
	if p.ETASeconds > 0 {
		facts = append(facts, Clock(p.ETASeconds)+" left")
	}
	if p.FPS > 0 {
		facts = append(facts, fmt.Sprintf("%.0f fps", p.FPS))
	}
	if p.Speed > 0 {
		facts = append(facts, fmt.Sprintf("%.1fx", p.Speed))
	}
	return facts
}

// joinFacts joins what is not empty by gaps.
func joinFacts(head string, facts ...string) string {
	for _, fact := range facts {
		if fact != "" {
			head += columnGap + fact
		}
	}
	return head
}

// Bar draws a progress bar of a number of columns.
func Bar(percent, columns int) string {
	full := columns * max(0, min(100, percent)) / 100
	return strings.Repeat("█", full) + strings.Repeat("░", columns-full)
}
