package cli

import (
	"testing"
	"time"
)

func TestTimeFlag(t *testing.T) {
	for text, want := range map[string]time.Time{
		"2026-01-02":                time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
		"2026-01-02T03:04:05Z":      time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		"2026-01-02T03:04:05+01:00": time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC),
	} {
		var got time.Time
		if err := (timeFlag{&got}).Set(text); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
	var ago time.Time
	before := time.Now()
	err := (timeFlag{&ago}).Set("24h")
	if err != nil || ago.Before(before.Add(-24*time.Hour)) || ago.After(time.Now()) {
		t.Errorf("24h: got %v, %v, want a day ago", ago, err)
	}
	for _, text := range []string{"", "soon", "-1h", "2026-13-01"} {
		if err := (timeFlag{&ago}).Set(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, ago)
		}
	}
}
