package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// writer prints itself for people.
type writer interface {
	write(w io.Writer, term terminal) error
}

// print writes document as JSON, or what people are shown of it, as --output says.
func (c *cli) print(document any, people ...writer) error {
	if c.settings.format == formatJSON {
		return printJSON(c.out, document)
	}
	term := c.terminal(c.out)
	for i, p := range people {
		if i > 0 {
			fmt.Fprintln(c.out)
		}
		if err := p.write(c.out, term); err != nil {
			return err
		}
	}
	return nil
}

func printJSON(w io.Writer, document any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(document)
}

// lines is text for people, line by line.
type lines []string

func (l lines) write(w io.Writer, _ terminal) error {
	for _, s := range l {
		if _, err := fmt.Fprintln(w, s); err != nil {
			return err
		}
	}
	return nil
}

// line is text for people.
type line string

func (l line) write(w io.Writer, _ terminal) error {
	_, err := fmt.Fprintln(w, string(l))
	return err
}

// count is "1 job", "2 jobs".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// age is how long ago t was, in its two largest units; "" for the zero time.
func age(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return span(time.Since(t))
}

// span is a length of time in its two largest units: 45s, 3m10s, 5h2m, 3d4h.
func span(d time.Duration) string {
	d = max(0, d).Truncate(time.Second)
	days, hours, minutes, seconds := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case days > 0:
		return fmt.Sprintf("%dd%dh", days, hours)
	case hours > 0:
		return fmt.Sprintf("%dh%dm", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%dm%ds", minutes, seconds)
	}
	return fmt.Sprintf("%ds", seconds)
}

// clock is a length of time as a player shows it: 0:05, 12:00, 1:02:03.
func clock(seconds float64) string {
	s := int(seconds + 0.5)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// moment is a time with its age; "" for the zero time.
func moment(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case time.Until(t) > 0:
		return fmt.Sprintf("%s (in %s)", t.UTC().Format(time.RFC3339), span(time.Until(t)))
	}
	return fmt.Sprintf("%s (%s ago)", t.UTC().Format(time.RFC3339), age(t))
}

// size is a number of bytes in binary units; "" for none.
func size(n int64) string {
	const units = "KMGTPE"
	if n == 0 {
		return ""
	}
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, 0
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}

// pairs is a map as k=v, sorted.
func pairs(m map[string]string) string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, k+"="+m[k])
	}
	return strings.Join(list, ",")
}

// status is a job's status in its colour.
func status(s ffrtmp.Status) cell {
	colours := map[ffrtmp.Status]colour{
		ffrtmp.Running: cyan, ffrtmp.Paused: yellow, ffrtmp.Completed: green, ffrtmp.Failed: red, ffrtmp.Canceled: faint,
	}
	return cell{string(s), colours[s]}
}

// first returns the first string that is not empty.
func first(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}
