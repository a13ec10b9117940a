package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

const oneTimeKey = "feedfacefeedface.b25jZQ"

// newConsoleMaster is a master that makes one-time keys.
func newConsoleMaster(t *testing.T) *fakeMaster {
	m := newFakeMaster(t)
	m.answer("GET /health", http.StatusOK, ffrtmp.Health{Status: "healthy"})
	m.answer("POST /session", http.StatusCreated, ffrtmp.CreatedKey{
		Key: ffrtmp.Key{ID: "feedfacefeedface", Name: "ops", ExpiresAt: ago(-ffrtmp.SignInLife)}, Secret: oneTimeKey,
	})
	return m
}

// stubBrowser is a program that records its arguments in a file and does what else is asked.
func stubBrowser(t *testing.T, script string) (path, arguments string) {
	t.Helper()
	dir := t.TempDir()
	path, arguments = filepath.Join(dir, "browser"), filepath.Join(dir, "arguments")
	text := "#!/bin/sh\nprintf %s \"$*\" > " + arguments + ".new && mv " + arguments + ".new " + arguments + "\n" +
		script
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path, arguments
}

// Without a browser the address is printed, with a key that opens one session; the user's own key is not in it.
func TestUI_Address(t *testing.T) {
	m := newConsoleMaster(t)
	broken, _ := stubBrowser(t, "exit 1\n")
	for _, test := range []struct {
		name string
		env  []string
		args []string
	}{
		{"no desktop", nil, []string{"ui"}},
		{"--no-open", []string{"BROWSER=" + broken}, []string{"ui", "--no-open"}},
		{"no such browser", []string{"BROWSER=/no/such/browser"}, []string{"ui"}},
		{"a browser that fails", []string{"BROWSER=" + broken}, []string{"ui"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := invoke(t, append(m.env(), test.env...), "", test.args...)
			if want := m.server.URL + "/ui/login#" + oneTimeKey + "\n"; r.code != exitDone || r.out != want {
				t.Errorf("got code %d, %q, %q, want %q", r.code, r.out, r.err, want)
			}
		})
	}
	for _, request := range m.seen("POST /session") {
		if request.body != `{"one_time":true}` || request.key != "Bearer secret" {
			t.Errorf("got request %+v, want one for a one-time key", request)
		}
	}
}

// A browser gets an address of this process, which leads to the console once: no key is in its arguments.
func TestUI_Opens(t *testing.T) {
	m := newConsoleMaster(t)
	browser, arguments := stubBrowser(t, "")
	done := make(chan result)
	go func() { done <- invoke(t, append(m.env(), "BROWSER="+browser), "", "ui", "-o", "json") }()
	testkit.Eventually(t, "the browser starts", func() bool { _, err := os.Stat(arguments); return err == nil })
	address, err := os.ReadFile(arguments)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(address), "http://127.0.0.1:") || strings.Contains(string(address), oneTimeKey) {
		t.Errorf("got argument %q, want an address of this machine without a key", address)
	}
	request := httptest.NewRequestWithContext(t.Context(), "GET", string(address), nil)
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if got, want := answer.Header.Get("Location"), m.server.URL+"/ui/login#"+oneTimeKey; got != want {
		t.Errorf("got Location %q, want %q", got, want)
	}
	r := <-done
	var document consoleAddress
	if err := json.Unmarshal([]byte(r.out), &document); err != nil || r.code != exitDone {
		t.Fatalf("got code %d, %v, %q", r.code, err, r.out)
	}
	if !document.Opened || document.URL != m.server.URL+"/ui/" {
		t.Errorf("got %+v, want the console's address without a key", document)
	}
}

// The page that leads to the console is served once, and only at its own path.
func TestUI_LeadsOnce(t *testing.T) {
	served := make(chan struct{})
	h := leadOnce("/path", "https://master/ui/login#key", served)
	for _, test := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/", http.StatusNotFound},
		{"HEAD", "/path", http.StatusNotFound},
		{"GET", "/path", http.StatusSeeOther},
		{"GET", "/path", http.StatusGone},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), test.method, test.path, nil))
		if w.Code != test.want {
			t.Errorf("%s %s: got %d, want %d", test.method, test.path, w.Code, test.want)
		}
	}
	<-served
}

// A key that may not sign in, such as an agent's, is refused.
func TestUI_Refused(t *testing.T) {
	m := newConsoleMaster(t)
	m.handle("POST /session", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusForbidden, ffrtmp.Forbidden, "the key has no scope read")
	})
	r := m.run(t, "ui", "--no-open")
	if r.code != exitFailed || !strings.Contains(r.err, "open the console: the key has no scope read") {
		t.Errorf("got code %d, %q, want a refusal", r.code, r.err)
	}
}
