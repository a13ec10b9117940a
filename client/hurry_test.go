package client_test

import (
	"net/http"
	"net/http/httptrace"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ffrtmp/ffrtmp/client"
)

// network connects to each host after a time, and answers after another.
type network struct {
	connect, answer map[string]time.Duration
	asked           []string
}

func (n *network) roundTrip(r *http.Request) (*http.Response, error) {
	trace := httptrace.ContextClientTrace(r.Context())
	n.asked = append(n.asked, r.URL.Host)
	trace.GetConn(r.URL.Host)
	for _, wait := range []time.Duration{n.connect[r.URL.Host], n.answer[r.URL.Host]} {
		select {
		case <-time.After(wait):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		trace.GotConn(httptrace.GotConnInfo{})
	}
	return reply(200, `{"id":"x"}`), nil
}

// A master that cannot be connected to is left for the next one after 300 ms. One that is connected to, however
// slow, or the last one, is waited for.
func TestDo_SlowConnect(t *testing.T) {
	const hole = time.Hour
	for name, test := range map[string]struct {
		masters []string
		network network
		want    time.Duration
		asked   int
	}{
		"black holes": {
			[]string{"https://a", "https://b", "https://c"},
			network{connect: map[string]time.Duration{"a": hole, "b": hole}},
			600 * time.Millisecond, 3,
		},
		"slow answer": {
			[]string{"https://a", "https://b"},
			network{answer: map[string]time.Duration{"a": 5 * time.Second}},
			5 * time.Second, 1,
		},
		"only one": {
			[]string{"https://a"}, network{connect: map[string]time.Duration{"a": 2 * time.Second}}, 2 * time.Second, 1,
		},
		"slow network": {
			[]string{"https://a", "https://b"},
			network{connect: map[string]time.Duration{"a": time.Second, "b": time.Second}},
			1300 * time.Millisecond, 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, err := client.New(client.Config{
					Masters: test.masters[:1], Transport: roundTripper(test.network.roundTrip),
					Patience: time.Millisecond,
				})
				if err != nil {
					t.Fatal(err)
				}
				c.SetMasters(test.masters[1:])
				start := time.Now()
				if _, err := c.Job(t.Context(), "x"); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took != test.want || len(test.network.asked) != test.asked {
					t.Errorf("got an answer after %v of %q, want it after %v and %d tries", took, test.network.asked,
						test.want, test.asked)
				}
			})
		})
	}
}

// Once a master has answered, the client waits for a connection: many clients that reconnect at the same time are slow.
func TestDo_SlowReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := network{connect: map[string]time.Duration{}}
		c, err := client.New(client.Config{Masters: []string{"https://a"}, Transport: roundTripper(n.roundTrip)})
		if err != nil {
			t.Fatal(err)
		}
		c.SetMasters([]string{"https://b"})
		for _, slow := range []time.Duration{0, time.Second} {
			n.connect["a"] = slow
			if _, err := c.Job(t.Context(), "x"); err != nil {
				t.Fatal(err)
			}
		}
		if len(n.asked) != 2 || n.asked[1] != "a" {
			t.Errorf("got requests to %q, want two to a", n.asked)
		}
	})
}
