package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
)

// A refusal is returned at once, with its code.
func TestClient_Refusal(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		code   ffrtmp.Code
		text   string
	}{
		{
			"coded", 409, `{"error":"job 7 is running","code":"conflict","status":409}`, ffrtmp.Conflict,
			"job 7 is running",
		},
		{
			"stale attempt", 409, `{"error":"attempt 1 was lost","code":"stale_attempt","status":409}`,
			ffrtmp.StaleAttempt,
			"attempt 1 was lost",
		},
		{
			"full disk", 507, `{"error":"disk","code":"insufficient_storage","status":507}`, ffrtmp.InsufficientStorage,
			"disk",
		},
		{"plain text of v2.2", 404, "Job not found\n", ffrtmp.NotFound, "HTTP 404: Job not found"},
		{"empty", 401, "", ffrtmp.Unauthenticated, "HTTP 401: Unauthorized"},
		{"redirect", 302, "", ffrtmp.Invalid, "HTTP 302"},
		{"internal", 500, "<html>", ffrtmp.Internal, "HTTP 500: <html>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://elsewhere.invalid/")
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			c := dial(t, client.Config{}, s)
			_, err := c.Submit(within(t, time.Minute), ffrtmp.Spec{})
			if ffrtmp.CodeOf(err) != tt.code || !strings.Contains(fmt.Sprint(err), tt.text) {
				t.Errorf("got %q with code %q, want %q with code %q", err, ffrtmp.CodeOf(err), tt.text, tt.code)
			}
			if n := len(s.requests()); n != 1 {
				t.Errorf("got %d requests, want 1", n)
			}
		})
	}
}

// Every method makes its documented request.
func TestRequests(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	c := dial(t, client.Config{}, s)
	ctx := t.Context()
	queue := ffrtmp.Live
	for _, tt := range []struct {
		want string // method, request URI, body
		key  bool
		call func() error
	}{
		{`POST /jobs {"scenario":"360p"}`, true, func() error {
			_,
				err := c.Submit(ctx, ffrtmp.Spec{Scenario: "360p"})
			return err
		}},
		{
			`POST /jobs/batch {"jobs":[{"scenario":"360p"}]}`, true,
			func() error { _, err := c.SubmitBatch(ctx, []ffrtmp.Spec{{Scenario: "360p"}}); return err },
		},
		{`GET /jobs/7 `, false, func() error { _, err := c.Job(ctx, "7"); return err }},
		{`GET /jobs/a%2Fb `, false, func() error { _, err := c.Job(ctx, "a/b"); return err }},
		{`GET /jobs/7?index=9&wait=2s `, false, func() error {
			_,
				err := c.Job(ctx, "7", client.AtLeast(9, 2*time.Second))
			return err
		}},
		{
			`GET /jobs/7?max_stale=5s&stale=true `, false,
			func() error { _, err := c.Job(ctx, "7", client.Stale(5*time.Second)); return err },
		},
		{
			`GET /jobs/7?consistent=true `, false,
			func() error { _, err := c.Job(ctx, "7", client.Consistent()); return err },
		},
		{
			`GET /jobs?created_after=2026-01-02T03%3A04%3A05Z&cursor=5&label=a%3Db&limit=10&node_id=n&order=asc` +
				`&priority=high&q=film&queue=live&scenario=360p&sort=priority&status=running `,
			false, func() error {
				_, err := c.Jobs(ctx, client.ListOptions{
					Filter: ffrtmp.Filter{
						Status: ffrtmp.StatusIn(ffrtmp.Running), Queue: ffrtmp.Live,
						Priority: ffrtmp.High, Scenario: "360p", NodeID: "n", Label: "a=b", Text: "film",
						CreatedAfter: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
					}, Limit: 10, Cursor: "5", Sort: ffrtmp.SortPriority,
					Order: ffrtmp.Ascending,
				})
				return err
			},
		},
		{`POST /keys {"name":"ci","scopes":["read"]}`, true, func() error {
			_, err := c.CreateKey(ctx, ffrtmp.NewKey{Name: "ci", Scopes: []ffrtmp.Scope{ffrtmp.ScopeRead}})
			return err
		}},
		{`POST /session {"one_time":true}`, true, func() error { return errOf(c.SignInKey(ctx)) }},
		{`GET /keys `, false, func() error { _, err := c.Keys(ctx); return err }},
		{`DELETE /keys/a%2Fb `, true, func() error { return c.RevokeKey(ctx, "a/b") }},
		{`GET /audit?cursor=9.1&limit=10&since=2026-01-02T03%3A04%3A05Z `, false, func() error {
			_, err := c.Audit(ctx, ffrtmp.AuditPage{
				Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Limit: 10,
				Cursor: "9.1",
			})
			return err
		}},
		{`POST /jobs/7/cancel `, true, func() error { return c.Cancel(ctx, "7") }},
		{`POST /jobs/7/pause `, true, func() error { return c.Pause(ctx, "7") }},
		{`POST /jobs/7/resume `, true, func() error { return c.Resume(ctx, "7") }},
		{`POST /jobs/7/retry `, true, func() error { return c.Retry(ctx, "7") }},
		{
			`POST /jobs/cancel {"filter":{"queue":"live"}}`, true,
			func() error { _, err := c.CancelMany(ctx, ffrtmp.Filter{Queue: ffrtmp.Live}); return err },
		},
		{`POST /jobs/retry?dry_run=true {"filter":{"queue":"live"}}`, true, func() error {
			_, err := c.ChangeMany(ctx, ffrtmp.Filter{Queue: ffrtmp.Live}, ffrtmp.Change{Action: ffrtmp.Retry}, true)
			return err
		}},
		{`POST /jobs/priority {"filter":{"queue":"live"},"priority":"high"}`, true, func() error {
			_, err := c.ChangeMany(ctx, ffrtmp.Filter{Queue: ffrtmp.Live}, ffrtmp.Change{Priority: ffrtmp.High}, false)
			return err
		}},
		{`PATCH /jobs/7 {"queue":"live"}`, true, func() error {
			_,
				err := c.Patch(ctx, "7", ffrtmp.Patch{Queue: &queue})
			return err
		}},
		{`GET /jobs/7/logs?attempt=2 `, false, func() error { _, err := c.Logs(ctx, "7", 2); return err }},
		{`POST /jobs?dry_run=true&node=a {"scenario":"720p"}`, true, func() error {
			_, err := c.DryRun(ctx, ffrtmp.Spec{Scenario: "720p"}, "a")
			return err
		}},
		{`GET /stats?window=1h0m0s `, false, func() error { _, err := c.Stats(ctx, time.Hour); return err }},
		{`GET /catalogue `, false, func() error { _, err := c.Catalogue(ctx); return err }},
		{`GET /jobs/7/media?attempt=2 `, false, func() error { _, err := c.Media(ctx, "7", 2); return err }},
		{`GET /jobs/7/explain `, false, func() error { _, err := c.Explain(ctx, "7"); return err }},
		{`POST /nodes/n/heartbeat {"attempts":[],"wait":"5s"}`, false, func() error {
			_, err := c.Heartbeat(ctx, "n", ffrtmp.Heartbeat{Wait: ffrtmp.Duration(5 * time.Second)})
			return err
		}},
		{`POST /jobs/claim {"node_id":"n","max":2,"wait":"1s"}`, false, func() error {
			_, err := c.Claim(ctx, ffrtmp.ClaimRequest{NodeID: "n", Max: 2, Wait: ffrtmp.Duration(time.Second)})
			return err
		}},
		{`POST /results {"job_id":"7","node_id":"n","status":"failed","attempt":1,"lease":"l"}`, false, func() error {
			failed := ffrtmp.Result{JobID: "7", NodeID: "n", Status: ffrtmp.ResultFailed, Attempt: 1, Lease: "l"}
			_, err := c.Result(ctx, failed)
			return err
		}},
		{`GET /nodes `, false, func() error { _, err := c.Nodes(ctx); return err }},
		{`GET /nodes/n `, false, func() error { _, err := c.Node(ctx, "n"); return err }},
		{`DELETE /nodes/n?force=true `, true, func() error { return c.RemoveNode(ctx, "n", true) }},
		{`POST /nodes/n/drain `, true, func() error { _, err := c.Drain(ctx, "n", 0); return err }},
		{`POST /nodes/n/drain {"deadline":"10m0s"}`, true, func() error {
			return errOf(c.Drain(ctx, "n", 10*time.Minute))
		}},
		{`POST /nodes/n/cordon `, true, func() error { _, err := c.Cordon(ctx, "n"); return err }},
		{`POST /nodes/n/uncordon `, true, func() error { _, err := c.Uncordon(ctx, "n"); return err }},
		{`GET /cluster `, false, func() error { _, err := c.Cluster(ctx); return err }},
		{`POST /cluster/leader/transfer {"member":"m2"}`, true, func() error { return c.TransferLeader(ctx, "m2") }},
		{`DELETE /cluster/members/m2?force=true `, true, func() error {
			return errOf(c.RemoveMember(ctx, "m2", true))
		}},
		{`POST /cluster/members/m2/promote `, true, func() error { return errOf(c.PromoteMember(ctx, "m2", false)) }},
		{`POST /cluster/members/m2/demote `, true, func() error { return errOf(c.DemoteMember(ctx, "m2", false)) }},
		{`GET /cluster/autopilot `, false, func() error { return errOf(c.Autopilot(ctx)) }},
		{`PUT /cluster/autopilot {}`, true, func() error {
			return errOf(c.SetAutopilot(ctx, ffrtmp.AutopilotChange{}))
		}},
		{`GET /cluster/gossip-keys `, false, func() error { return errOf(c.GossipKeys(ctx)) }},
		{`POST /cluster/gossip-keys {"key":"aGVsbG8="}`, true, func() error {
			return errOf(c.InstallGossipKey(ctx, "aGVsbG8="))
		}},
		{`POST /cluster/gossip-keys/f1/use?force=true `, true, func() error {
			return errOf(c.UseGossipKey(ctx, "f1", true))
		}},
		{`DELETE /cluster/gossip-keys/f1 `, true, func() error { return errOf(c.RemoveGossipKey(ctx, "f1", false)) }},
		{`GET /health `, false, func() error { _, err := c.Health(ctx, s.URL); return err }},
	} {
		t.Run(tt.want, func(t *testing.T) {
			if err := tt.call(); err != nil {
				t.Fatal(err)
			}
			seen := s.requests()
			r := seen[len(seen)-1]
			if got := r.method + " " + r.uri + " " + r.body; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if got := r.header.Get("Idempotency-Key") != ""; got != tt.key {
				t.Errorf("got an idempotency key: %v, want %v", got, tt.key)
			}
		})
	}
}

// AllJobs follows the cursors and ends after an error.
func TestAllJobs(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("cursor") {
		case "":
			answer(w, 200, ffrtmp.List{Jobs: []ffrtmp.Job{{ID: "c"}, {ID: "b"}}, NextCursor: "2"})
		case "2":
			answer(w, 200, ffrtmp.List{Jobs: []ffrtmp.Job{{ID: "a"}}, NextCursor: "1"})
		default:
			refuse(w, 400, ffrtmp.Invalid, "cursor: is not known")
		}
	})
	c := dial(t, client.Config{}, s)
	var ids []string
	var last error
	for j, err := range c.AllJobs(t.Context(), client.ListOptions{Limit: 2}) {
		if last = err; err == nil {
			ids = append(ids, j.ID)
		}
	}
	if !slices.Equal(ids, []string{"c", "b", "a"}) || ffrtmp.CodeOf(last) != ffrtmp.Invalid {
		t.Errorf("got %v and %v, want [c b a] and an invalid cursor", ids, last)
	}
}

// Wait survives any loss of masters.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c, err := client.New(
			client.Config{
				Masters:  []string{"https://a"},
				Patience: time.Second,
				Transport: roundTripper(func(*http.Request) (*http.Response, error) {
					switch d := time.Since(start); {
					case d < 3*time.Second:
						return reply(200, `{"status":"running","progress":50}`), nil
					case d < 5*time.Minute:
						return nil, errors.New("connection refused")
					}
					return reply(200, `{"status":"completed","progress":100}`), nil
				}),
			},
		)
		if err != nil {
			t.Fatal(err)
		}
		var seen []int
		j, err := c.Wait(t.Context(), "7", func(j ffrtmp.Job) { seen = append(seen, j.Progress) })
		if err != nil || j.Status != ffrtmp.Completed {
			t.Fatalf("got %v and %v, want completed", j.Status, err)
		}
		if len(seen) < 4 || seen[0] != 50 || seen[len(seen)-1] != 100 {
			t.Errorf("got progress %v, want 50 first and 100 last", seen)
		}
		if d := time.Since(start); d > 5*time.Minute+10*time.Second {
			t.Errorf("got the job after %v, want it within 10 s of the masters' return", d)
		}
	})
}

// A broken stream is resumed where it broke, and says what is missing.
func TestFollowLogs_Resume(t *testing.T) {
	const text = "frame=1\nframe=2\nframe=3\n"
	for _, test := range []struct {
		name          string
		first, second int // where each of the two answers begins
		want          string
	}{
		{"nothing is gone", 0, 10, text},
		{"the beginning is gone", 5, 10, "[5 bytes of the log are no longer kept]\n" + text[5:]},
		{"the middle is gone", 0, 18, text[:10] + "\n[8 bytes of the log are no longer kept]\n" + text[18:]},
		{"the rest is gone", 0, 99, text[:10] + "\n[89 bytes of the log are no longer kept]\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Ffrtmp-Log-Attempt", "2")
				if r.URL.Query().Get("offset") == "" {
					w.Header().Set("X-Ffrtmp-Log-Offset", strconv.Itoa(test.first))
					_, _ = io.WriteString(w, text[test.first:10])
					_ = http.NewResponseController(w).Flush()
					panic(http.ErrAbortHandler)
				}
				w.Header().Set("X-Ffrtmp-Log-Offset", strconv.Itoa(test.second))
				_, _ = io.WriteString(w, text[min(test.second, len(text)):])
			})
			c := dial(t, client.Config{}, s)
			var out bytes.Buffer
			if err := c.FollowLogs(within(t, time.Minute), "7", 0, &out); err != nil || out.String() != test.want {
				t.Fatalf("got %q (%v), want %q", out.String(), err, test.want)
			}
			if got, want := s.requests()[1].uri, "/jobs/7/logs?attempt=2&follow=true&offset=10"; got != want {
				t.Errorf("got request %s, want %s", got, want)
			}
		})
	}
}

// An error of the writer ends the stream and is returned.
func TestFollowLogs_WriterError(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "frame=1\n") })
	full := errors.New("disk full")
	err := dial(t, client.Config{}, s).FollowLogs(within(t, time.Minute), "7", 2, failing{full})
	if !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// Discovered masters are replaced; those of Config are kept.
func TestSetMasters(t *testing.T) {
	c, err := client.New(client.Config{Masters: []string{"https://A:8080/", "b:8080"}})
	if err != nil {
		t.Fatal(err)
	}
	c.SetMasters([]string{"https://c:8080", "http://plain:8080", "ftp://x", "https://a:8080"})
	if got := c.Masters(); !slices.Equal(got, []string{"https://a:8080", "https://b:8080", "https://c:8080"}) {
		t.Errorf("got %q, want the seeds and c", got)
	}
	c.SetMasters([]string{"https://d:8080"})
	if got := c.Masters(); !slices.Equal(got, []string{"https://a:8080", "https://b:8080", "https://d:8080"}) {
		t.Errorf("got %q, want the seeds and d", got)
	}
	for _, bad := range [][]string{nil, {""}, {"ftp://a"}, {"https://u:p@a"}, {"https://a?x=1"}} {
		if _, err := client.New(client.Config{Masters: bad}); err == nil {
			t.Errorf("New(%q): got no error, want one", bad)
		}
	}
}

// A master with an untrusted certificate ends the call at once.
func TestClient_UntrustedMaster(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	c, err := client.New(client.Config{Masters: []string{s.URL}})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = c.Submit(within(t, time.Minute), ffrtmp.Spec{})
	var unavailable *client.UnavailableError
	if !errors.As(err, &unavailable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %T %v, want an UnavailableError about the certificate", err, err)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("got the error after %v, want it at once", d)
	}
}

// Consecutive requests share a connection, errors included.
func TestClient_ConnectionReuse(t *testing.T) {
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/jobs/none" {
			refuse(w, 404, ffrtmp.NotFound, "no such job")
			return
		}
		answer(w, 200, ffrtmp.Job{ID: "a", Logs: strings.Repeat("log ", 2000)})
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start() // HTTP/1.1: one request at a time on a connection
	defer s.Close()
	c := dial(t, client.Config{Masters: []string{s.URL}})
	for range 10 {
		if _, err := c.Job(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if err := c.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Job(t.Context(), "none"); ffrtmp.CodeOf(err) != ffrtmp.NotFound {
			t.Fatal(err)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("got %d connections, want 1", n)
	}
}

// Canceling the context ends a call.
func TestClient_Cancel(t *testing.T) {
	asked := make(chan struct{})
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { close(asked); <-r.Context().Done() })
	c := dial(t, client.Config{}, s)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := c.Submit(ctx, ffrtmp.Spec{}); !errors.Is(err, context.Canceled) ||
		ffrtmp.CodeOf(err) != ffrtmp.UnknownOutcome {
		t.Errorf("got %v, want an unknown outcome caused by the canceled context", err)
	}
}

// errOf drops a value.
func errOf[T any](_ T, err error) error { return err }
