package cli

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// Count is "1 job", "2 jobs".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// ages shortens ages for tables.
var ages = []humanize.RelTimeMagnitude{
	{D: time.Minute, Format: "%ds", DivBy: time.Second},
	{D: time.Hour, Format: "%dm", DivBy: time.Minute},
	{D: 2 * humanize.Day, Format: "%dh", DivBy: time.Hour},
	{D: math.MaxInt64, Format: "%dd", DivBy: humanize.Day},
}

// Age is how long ago t was, in one unit: 45s, 3m, 5h, 3d; "" for the zero time.
func Age(t time.Time) string {
	now := time.Now()
	switch {
	case t.IsZero():
		return ""
	case t.After(now): // clocks differ
		t = now
	}
	return humanize.CustomRelTime(t, now, "", "", ages)
}

// Span is a length of time in whole seconds: 45s, 3m10s, 5h2m0s.
func Span(d time.Duration) string { return max(0, d).Truncate(time.Second).String() }

// Clock is a length of time as a player shows it: 0:05, 12:00, 1:02:03.
func Clock(seconds float64) string {
	s := int(seconds + 0.5)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// Moment is a time and how long ago it was; "" for the zero time.
func Moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s (%s)", t.UTC().Format(time.RFC3339), humanize.Time(t))
}

// Size is a number of bytes in binary units; "" for none.
func Size(n int64) string {
	if n <= 0 {
		return ""
	}
	return humanize.IBytes(uint64(n))
}

// Pairs is a map as k=v, sorted.
func Pairs(m map[string]string) string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, k+"="+m[k])
	}
	return strings.Join(list, ",")
}
