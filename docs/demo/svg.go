package main

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	longestPause = 1500 * time.Millisecond // longer pauses of the run are cut to this
	startPause   = 700 * time.Millisecond  // between the command and its first line
	endPause     = 8 * time.Second         // the complete output is shown this long
	rowHeight    = 18
	charWidth    = 7.9
	padding      = 14
)

// render draws the lines as an SVG that shows them one after the other, in a loop.
func render(lines []line) string {
	times := pace(lines)
	total := times[len(times)-1] + endPause
	width, height := size(lines)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d">`,
		width, height)
	b.WriteByte('\n')
	b.WriteString(style)
	for i := range lines {
		share := 100 * times[i].Seconds() / total.Seconds()
		fmt.Fprintf(&b, "@keyframes k%d{0%%,%.2f%%{opacity:0}%.2f%%,100%%{opacity:1}}\n", i, share, share+0.01)
	}
	fmt.Fprintf(&b, "text{animation-duration:%.1fs}\n</style>\n", total.Seconds())
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="8"/>`+"\n", width, height)
	for i, l := range lines {
		fmt.Fprintf(&b, `<text x="%d" y="%d" style="animation-name:k%d"%s>%s</text>`+"\n",
			padding, padding+rowHeight*(i+1)-5, i, class(l.text), escape(l.text))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

const style = `<style>
rect{fill:#0d1117}
text{fill:#c9d1d9;font:13px ui-monospace,Menlo,Consolas,monospace;white-space:pre;animation-iteration-count:infinite}
.command{font-weight:bold}
.failure{fill:#ff7b72;font-weight:bold}
.recovery{fill:#7ee787}
@media(prefers-reduced-motion){text{animation:none!important}}
`

// pace returns when each line is shown: as in the run, with long pauses cut.
func pace(lines []line) []time.Duration {
	times := make([]time.Duration, len(lines))
	for i := 1; i < len(lines); i++ {
		pause := min(lines[i].at-lines[i-1].at, longestPause)
		if i == 1 {
			pause = startPause
		}
		times[i] = times[i-1] + pause
	}
	return times
}

func size(lines []line) (width, height int) {
	longest := 0
	for _, l := range lines {
		longest = max(longest, utf8.RuneCountInString(l.text))
	}
	return int(float64(longest)*charWidth) + 2*padding, len(lines)*rowHeight + 2*padding
}

// recovery matches lines about what works again.
var recovery = regexp.MustCompile(`new leader|caught up to|^demo passed`)

// class chooses the color of a line.
func class(text string) string {
	switch {
	case strings.HasPrefix(text, "$ "):
		return ` class="command"`
	case strings.Contains(text, "s  kill -9"):
		return ` class="failure"`
	case recovery.MatchString(text):
		return ` class="recovery"`
	}
	return ""
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder accepts everything
	return b.String()
}
