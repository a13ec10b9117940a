package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// A recorded v2.2 agent exchange works against three masters while the leader is killed.
func TestLegacy_RecordedExchange(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	w := s.wire()
	turn := 0
	call := func(method, path, body string) reply {
		t.Helper()
		for {
			turn++
			if m := s.Master(turn % 3); m.Running() {
				return w.call(t, method, m.URL()+path, body)
			}
		}
	}
	const register = `{"address":"enc-01","type":"server","cpu_threads":32,"cpu_model":"EPYC","has_gpu":false,` +
		`"ram_total_bytes":68719476736,"labels":{"os":"linux"}}`
	const submit = `{"scenario":"4K60-h264","parameters":{"duration":5,"bitrate":"10M"}}`

	node := fieldsOf(t, call("POST", "/nodes/register", register).want(t, 201))
	hasFields(t, node, map[string]any{
		"name": "enc-01", "address": "enc-01", "type": "server", "cpu_threads": 32.0, "cpu_model": "EPYC",
		"has_gpu": false, "ram_total_bytes": 68719476736.0, "status": "available",
	})
	nodeID := as[string](t, node["id"])
	beat := func() { t.Helper(); call("POST", "/nodes/"+nodeID+"/heartbeat", "").want(t, 200) }
	next := func() map[string]any {
		t.Helper()
		return fieldsOf(t, call("GET", "/jobs/next?node_id="+nodeID, "").want(t, 200))
	}
	beat()

	created := fieldsOf(t, call("POST", "/jobs", submit).want(t, 201))
	hasFields(t, created, map[string]any{
		"sequence_number": 1.0, "scenario": "4K60-h264", "confidence": "", "engine": "auto", "status": "pending",
		"queue": "default", "priority": "medium", "retry_count": 0.0,
	})
	if p := as[map[string]any](t, created["parameters"]); p["bitrate"] != "10M" || p["duration"] != 5.0 {
		t.Errorf("got parameters %v, want bitrate 10M and duration 5", p)
	}
	id := as[string](t, created["id"])
	claimed := as[map[string]any](t, next()["job"])
	hasFields(t, claimed, map[string]any{"id": id, "node_id": nodeID, "status": "running", "sequence_number": 1.0})
	if body := text(call("GET", "/jobs/next?node_id="+nodeID, "").want(t, 200)); body != `{"job":null}` {
		t.Errorf("got %s, want no job", body)
	}

	s.Master(s.leader()).Kill()
	beat()
	// A v2.2 node may hold several jobs.
	second := as[string](t, fieldsOf(t, call("POST", "/jobs", submit).want(t, 201))["id"])
	if j := as[map[string]any](t, next()["job"]); j["id"] != second {
		t.Errorf("got next job %v, want %s", j["id"], second)
	}
	hasFields(t, fieldsOf(t, call("GET", "/api/v1/jobs/"+id, "").want(t, 200)), map[string]any{"status": "running"})
	result := `{"job_id":"` + id + `","node_id":"` + nodeID + `","status":"completed",` +
		`"metrics":{"fps":60},"analyzer_output":{},"logs":"frame=300","completed_at":"2026-01-05T10:00:00Z"}`
	for range 2 { // the answer may have been lost
		if body := text(call("POST", "/results", result).want(t, 200)); body != `{"status":"success"}` {
			t.Errorf("got %s, want success", body)
		}
	}
	for _, name := range []string{id, "1"} {
		hasFields(
			t,
			fieldsOf(t, call("GET", "/jobs/"+name, "").want(t, 200)),
			map[string]any{"id": id, "status": "completed", "progress": 100.0},
		)
	}
	hasFields(
		t,
		fieldsOf(t, call("GET", "/jobs/"+id+"/logs", "").want(t, 200)),
		map[string]any{"job_id": id, "logs": "frame=300"},
	)
	// An id is not a number: v2.2 took this one for job 96.
	call("GET", "/jobs/1d9361e3-3e52-4354-8096-73827c55a0a9", "").refused(t, 404, ffrtmp.NotFound)

	failed := `{"job_id":"` + second + `","node_id":"` + nodeID + `","status":"failed","error":"exit status 1"}`
	hasFields(
		t,
		fieldsOf(t, call("POST", "/results", failed).want(t, 200)),
		map[string]any{"status": "retrying", "retry": 1.0, "max_retries": 3.0},
	)
	hasFields(t, fieldsOf(t, call("GET", "/nodes", "").want(t, 200)), map[string]any{"count": 1.0})

	// A second registration means a restart: the node's jobs are requeued.
	third := as[string](t, fieldsOf(t, call("POST", "/jobs", submit).want(t, 201))["id"])
	if j := as[map[string]any](t, next()["job"]); j["id"] != third {
		t.Errorf("got next job %v, want %s", j["id"], third)
	}
	again := call("POST", "/nodes/register", register)
	if again.status != http.StatusOK && again.status != http.StatusCreated || fieldsOf(t, again)["id"] != nodeID {
		t.Errorf("second registration: got %d %s, want the same node", again.status, again.body)
	}
	hasFields(
		t,
		fieldsOf(t, call("GET", "/jobs/"+third, "").want(t, 200)),
		map[string]any{"status": "pending", "attempt": 1.0},
	)
	late := strings.ReplaceAll(result, id, third)
	call("POST", "/results", late).refused(t, 409, ffrtmp.StaleAttempt)
	call("POST", "/nodes/00000000-0000-4000-8000-000000000000/heartbeat", "").refused(t, 404, ffrtmp.NotFound)
}

// as returns v as a T.
func as[T any](t *testing.T, v any) T {
	t.Helper()
	typed, ok := v.(T)
	if !ok {
		t.Fatalf("got %T, want %T", v, typed)
	}
	return typed
}

// text returns the body without its final newline.
func text(r reply) string { return strings.TrimSpace(string(r.body)) }

func fieldsOf(t *testing.T, r reply) map[string]any {
	t.Helper()
	var fields map[string]any
	r.decode(t, &fields)
	if r.header.Get("Content-Type") != "application/json" {
		t.Errorf("got Content-Type %q, want application/json", r.header.Get("Content-Type"))
	}
	return fields
}

func hasFields(t *testing.T, got, want map[string]any) {
	t.Helper()
	for name, value := range want {
		if got[name] != value {
			all, _ := json.Marshal(got)
			t.Errorf("%s: got %v, want %v in %s", name, got[name], value, all)
		}
	}
}

// oldAgent behaves like v2.2's agent on the wire: it knows one master, sends v2.2's bodies,
// accepts only 200 (and 201 for a registration), and retries after 1, 2 and 4 s without an
// answer. Any other answer fails the test.
type oldAgent struct {
	*wire
	t      *testing.T
	master string
	node   string
	done   map[string]bool
}

// oldAgent registers an agent on the named machine.
func (s *site) oldAgent(w *wire, master, machine string) *oldAgent {
	s.t.Helper()
	a := &oldAgent{wire: w, t: s.t, master: master, done: map[string]bool{}}
	r := a.do(
		http.MethodPost,
		"/nodes/register",
		`{"address":"`+machine+`","type":"laptop","cpu_threads":8,"has_gpu":true,
"cpu_model":"Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz",
"gpu_type":"NVIDIA GeForce MX150","gpu_capabilities":["nvenc_h264","nvenc_h265"],"ram_total_bytes":17179869184,
"labels":{"arch":"amd64","node_type":"laptop","os":"linux"}}`,
	)
	var node ffrtmp.Node
	r.decode(s.t, &node)
	if r.status != http.StatusCreated && r.status != http.StatusOK || node.ID == "" || node.Name != machine ||
		node.Type != "laptop" {
		s.t.Fatalf("registration: got %d %s", r.status, r.body)
	}
	a.node = node.ID
	return a
}

func (a *oldAgent) do(method, path, body string) reply {
	a.t.Helper()
	wait := time.Second
	for {
		ctx, cancel := context.WithTimeout(a.t.Context(), 30*time.Second)
		r, err := a.send(ctx, method, a.master+path, body)
		cancel()
		if err == nil {
			return r
		}
		if wait > 4*time.Second {
			a.t.Errorf("%s %s: got %v after all retries", method, path, err)
			return reply{}
		}
		<-time.After(wait)
		wait *= 2
	}
}

// ok sends a request that must return 200.
func (a *oldAgent) ok(method, path, body string) reply {
	a.t.Helper()
	r := a.do(method, path, body)
	if r.status != http.StatusOK {
		a.t.Errorf("%s %s: got %d, want 200: %s", method, path, r.status, r.body)
	}
	return r
}

// work claims and completes jobs until none is left, and sends their ids to finished.
func (a *oldAgent) work(finished chan<- string) {
	for !a.t.Failed() {
		a.ok(http.MethodPost, "/nodes/"+a.node+"/heartbeat", "")
		var next struct{ Job *ffrtmp.Job }
		if err := json.Unmarshal(a.ok(http.MethodGet, "/jobs/next?node_id="+a.node, "").body, &next); err != nil {
			a.t.Error(err)
			return
		}
		if next.Job == nil {
			return
		}
		id := next.Job.ID
		if a.done[id] {
			a.t.Errorf("job %s: claimed twice by one node", id)
		}
		a.done[id] = true
		var asked ffrtmp.Job
		if err := json.Unmarshal(a.ok(http.MethodGet, "/api/v1/jobs/"+id, "").body, &asked); err != nil ||
			asked.Status != ffrtmp.Running {
			a.t.Errorf("job %s: got status %[3]s (%[2]v), want running", id, err, asked.Status)
		}
		said := a.ok(
			http.MethodPost,
			"/results",
			`{"job_id":"`+id+`","node_id":"`+a.node+`","status":"completed","progress":100,
"metrics":{"duration":1.5,"engine":"ffmpeg","platform_sla_compliant":true},
"analyzer_output":{"scenario":"720p"},"logs":"=== FFmpeg ===\nframe=  300 of `+id+`","completed_at":"`+time.Now().
				Format(time.RFC3339Nano)+
				`","qoe_score":0.5,"energy_joules":12}`,
		)
		if strings.TrimSpace(string(said.body)) != `{"status":"success"}` {
			a.t.Errorf("result of job %s: got %s, want success", id, said.body)
		}
		finished <- id
	}
}

// v2.2 agents with one address each do every job once while the leader is killed.
func TestLegacy_AgentsThroughFailover(t *testing.T) {
	for name, args := range map[string][]string{"https -k": nil, "plain http": {"--tls=false"}} {
		t.Run(name, func(t *testing.T) {
			s := prepare(t, devcluster.Options{Masters: 3, MasterArgs: func(int) []string { return args }})
			plain := args != nil
			w := s.wire()
			transport := &http.Transport{
				TLSClientConfig:     &tls.Config{InsecureSkipVerify: true},
				MaxIdleConnsPerHost: 8,
			}
			t.Cleanup(transport.CloseIdleConnections)
			w.http.Transport = transport
			url := func(m *devcluster.Master) string {
				if plain {
					return strings.Replace(m.URL(), "https:", "http:", 1)
				}
				return m.URL()
			}
			is := func(m *devcluster.Master, path string) bool {
				r, err := w.send(t.Context(), http.MethodGet, url(m)+path, "")
				return err == nil && r.status == http.StatusOK
			}
			for _, m := range s.Masters() {
				s.must(m.Start())
			}
			leader := -1
			s.eventually("all masters are ready", func() bool {
				for i, m := range s.Masters() {
					if !is(m, "/health/ready") {
						return false
					}
					if is(m, "/health/leader") {
						leader = i
					}
				}
				return leader >= 0
			})
			var agents []*oldAgent
			for i, m := range s.Masters() {
				if i != leader {
					agents = append(agents, s.oldAgent(w, url(m), "enc-"+m.Name()))
				}
			}
			const jobs = 120
			body := `{"jobs":[` + strings.TrimSuffix(
				strings.Repeat(
					`{"scenario":"720p60-h264","confidence":"auto","engine":"auto",`+
						`"parameters":{"duration":5,"bitrate":"10M","engine":"auto"}},`,
					jobs,
				),
				",",
			) + `]}`
			w.call(t, http.MethodPost, agents[0].master+"/jobs/batch", body).want(t, http.StatusCreated)

			finished := make(chan string, jobs)
			var all sync.WaitGroup
			for _, a := range agents {
				all.Go(func() { a.work(finished) })
			}
			for range jobs / 4 {
				<-finished
			}
			s.Master(leader).Kill()
			all.Wait()
			if a, b := len(agents[0].done), len(agents[1].done); a+b != jobs || a == 0 || b == 0 {
				t.Errorf("got %d and %d finished jobs, want %d by both", a, b, jobs)
			}
			var list ffrtmp.List
			w.call(t, http.MethodGet, agents[1].master+"/jobs?status=completed", "").
				want(t, http.StatusOK).
				decode(t, &list)
			if list.Count != jobs {
				t.Errorf("got %d completed jobs, want %d", list.Count, jobs)
			}
			for _, j := range list.Jobs {
				if j.Attempt != 1 || j.Progress != 100 {
					t.Errorf("job %d: got attempt %d, %d%%, want 1, 100%%", j.SequenceNumber, j.Attempt, j.Progress)
				}
			}
			var kept struct{ Logs string }
			w.call(t, http.MethodGet, agents[0].master+"/jobs/1/logs", "").want(t, http.StatusOK).decode(t, &kept)
			if !strings.HasSuffix(kept.Logs, "frame=  300 of "+s.idOf(w, agents[0].master, "1")) {
				t.Errorf("log of job 1: got %q, want its last line", kept.Logs)
			}
		})
	}
}

// idOf returns the id of the job with this number.
func (s *site) idOf(w *wire, master, number string) string {
	s.t.Helper()
	var j ffrtmp.Job
	w.call(s.t, http.MethodGet, master+"/jobs/"+number, "").want(s.t, http.StatusOK).decode(s.t, &j)
	return j.ID
}
