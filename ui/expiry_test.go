package ui_test

import (
	"net/http"
	"testing"
)

// A live section whose session has ended leads to the sign-in page, and from there back to its page, not to itself.
func TestConsole_SectionWithoutSession(t *testing.T) {
	b := open(t)
	for _, test := range []struct{ page, want string }{
		{"/ui/jobs?status=failed", "/ui/login?next=%2Fui%2Fjobs%3Fstatus%3Dfailed"},
		{"/ui/", "/ui/login"},
		{"", "/ui/login"},
	} {
		header := []string{"HX-Request", "true"}
		if test.page != "" {
			header = append(header, "HX-Current-URL", b.master.URL()+test.page)
		}
		p := b.do("GET", "/ui/masters", nil, header...)
		if got := p.Header.Get("HX-Redirect"); p.StatusCode != http.StatusUnauthorized || got != test.want {
			t.Errorf("page %q: got %d to %q, want 401 to %q", test.page, p.StatusCode, got, test.want)
		}
	}
}

// Without a session, events are refused rather than answered with the sign-in page.
func TestConsole_EventsWithoutSession(t *testing.T) {
	p := open(t).do("GET", "/ui/events", nil, "Accept", "text/event-stream")
	if p.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d, want 401", p.StatusCode)
	}
}
