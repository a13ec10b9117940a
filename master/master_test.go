package master

import (
	"net/http"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// inMemory is a master on free ports of the loopback address, without TLS.
func inMemory() Config {
	c := Default()
	c.Bind, c.Port, c.MetricsPort, c.DB, c.TLS = "127.0.0.1", 0, 0, "", false
	c.APIKey = "first"
	return c
}

// start runs a master until the test ends.
func start(t *testing.T, c Config) *Master {
	t.Helper()
	m, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Run(t, m.Run)
	return m
}

func connect(t *testing.T, m *Master, key string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Masters: []string{m.URL()}, APIKey: key, Patience: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Two masters run in one process, each with its own state.
func TestMaster_Run(t *testing.T) {
	a, b := start(t, inMemory()), start(t, inMemory())
	if a.URL() == b.URL() || a.NodeID() == b.NodeID() {
		t.Fatalf("got %s and %s twice", a.URL(), a.NodeID())
	}
	j, err := connect(t, a, "first").Submit(t.Context(), ffrtmp.Spec{Scenario: "720p"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, b, "first").Job(t.Context(), j.ID); ffrtmp.CodeOf(err) != ffrtmp.NotFound {
		t.Errorf("got %v from the other master, want %s", err, ffrtmp.NotFound)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.MetricsAddr()+"/health", nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Errorf("got %s from /health, want 200", r.Status)
	}
}

// A reload takes over a new key, and keeps the old one rather than open the API.
func TestMaster_Reload(t *testing.T) {
	key := "first"
	c := inMemory()
	c.ReadAPIKey = func() (string, error) { return key, nil }
	m := start(t, c)
	for _, step := range []struct{ file, valid, refused string }{
		{"second\n first \n\n", "first", "second first"},
		{"first\nsecond", "second", "third"},
		{"second", "second", "first"},
		{"", "second", ""},
		{" \n", "second", ""},
	} {
		key = step.file
		m.Reload()
		if _, err := connect(t, m, step.valid).Jobs(t.Context(), client.ListOptions{}); err != nil {
			t.Errorf("key %q: got %v, want none", step.valid, err)
		}
		_, err := connect(t, m, step.refused).Jobs(t.Context(), client.ListOptions{})
		if ffrtmp.CodeOf(err) != ffrtmp.Unauthenticated {
			t.Errorf("key %q: got %v, want %s", step.refused, err, ffrtmp.Unauthenticated)
		}
	}
}

// A failed New closes what it has opened.
func TestNew_Failure(t *testing.T) {
	first := start(t, inMemory())
	c := inMemory()
	c.MetricsPort = first.port()
	if _, err := New(t.Context(), c); err == nil {
		t.Fatal("got no error for a port in use")
	}
	c.MetricsPort = 0
	start(t, c)
}

// A master that never ran can be closed.
func TestMaster_Close(t *testing.T) {
	m, err := New(t.Context(), inMemory())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Errorf("got %v, want none", err)
	}
}
