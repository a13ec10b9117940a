package ui_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// While a form is filled in, it says what would run where and when, or which field is at fault, and submits nothing.
func TestConsole_Preview(t *testing.T) {
	b := signedIn(t)
	b.register()
	check := func(form url.Values) string {
		t.Helper()
		p := b.post("/ui/submit", "/ui/submit/check", form)
		if p.StatusCode != http.StatusOK || strings.Contains(p.text, "<html") {
			t.Fatalf("got %d %s, want a part of the page", p.StatusCode, p.text)
		}
		return p.text
	}
	job := url.Values{"scenario": {"720p30"}, "input": {"in/a.mkv"}, "crf": {"21"}, "queue": {"batch"}}
	text := check(job)
	for _, want := range []string{"-crf 21", "in/a.mkv", "at once", "batch, medium priority", "encoder-1", "Assumed"} {
		if !strings.Contains(text, want) {
			t.Errorf("got no %q in %s, want it", want, text)
		}
	}
	b.submit(ffrtmp.Spec{Scenario: "720p"})
	b.submit(ffrtmp.Spec{Scenario: "720p", Queue: ffrtmp.Batch, Priority: ffrtmp.Low})
	if text := check(job); !strings.Contains(text, "1 job ahead") || !strings.Contains(text, "not known") {
		t.Errorf("got %s, want one job ahead and no estimate while nothing starts", text)
	}
	for field, value := range map[string]string{"crf": "1000", "parameters": "{", "labels": "x", "codec": "mp9"} {
		form := url.Values{"scenario": {"720p30"}, field: {value}}
		if text := check(form); !strings.Contains(text, `data-bad="f-`+field+`"`) {
			t.Errorf("%s: got %s, want that field marked", field, text)
		}
	}
	null := url.Values{"scenario": {"720p"}, "parameters": {"null"}, "crf": {"21"}}
	if text := check(null); !strings.Contains(text, `data-bad="f-parameters"`) {
		t.Errorf("got %s, want null refused", text)
	}
	if text := check(url.Values{"scenario": {""}}); !strings.Contains(text, "Choose a scenario") {
		t.Errorf("got %s, want a hint", text)
	}
	secret := url.Values{
		"scenario": {"720p"}, "output_mode": {"rtmp"}, "rtmp_url": {"rtmp://live.example.com/app"},
		"stream_key": {"hush-42"},
	}
	if text := check(secret); strings.Contains(text, "hush-42") || !strings.Contains(text, "live.example.com") {
		t.Errorf("got %s, want the command without the key", text)
	}
	if list := b.get("/ui/jobs").text; !strings.Contains(list, "2 jobs</p>") {
		t.Error("got another number of jobs, want the two that were submitted")
	}
	if list := b.get("/ui/jobs?queue=batch").text; !strings.Contains(list, "1 job match") {
		t.Error("got no count of the matching jobs, want one")
	}
}
