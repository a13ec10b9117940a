package api

import (
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/cluster"
)

var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
	http.MethodDelete,
}

// endpoints lists every route of the API.
func (s *Server) endpoints() []endpoint {
	return []endpoint{
		{
			pattern: "POST /jobs", scope: ffrtmp.ScopeSubmit, serve: with(s.submitJob),
			query: []string{"dry_run", "node"},
		},
		{pattern: "POST /jobs/batch", scope: ffrtmp.ScopeSubmit, serve: with(s.submitBatch), maxBody: maxBatchBody},
		{
			pattern: "GET /jobs", scope: ffrtmp.ScopeRead, servedBy: byConsistency, serve: s.listJobs,
			query: []string{
				"status", "queue", "priority", "scenario", "node_id", "label", "created_after", "created_before", "q",
				"sort", "limit", "cursor", "order", "total",
			},
		},
		{
			pattern: "GET /jobs/progress", scope: ffrtmp.ScopeRead, servedBy: byConsistency, serve: s.liveProgress,
			query: []string{"since"},
		},
		{pattern: "GET /jobs/{id}", scope: ffrtmp.ScopeRead, servedBy: byConsistency, serve: s.getJob},
		{
			pattern:  "GET /api/v1/jobs/{id}",
			scope:    ffrtmp.ScopeRead,
			agents:   true,
			servedBy: byConsistency,
			serve:    s.getJob,
		},
		{pattern: "PATCH /jobs/{id}", scope: ffrtmp.ScopeSubmit, audit: true, serve: with(s.patchJob)},
		{pattern: "POST /jobs/{id}/cancel", scope: ffrtmp.ScopeSubmit, audit: true, serve: with(s.act(ffrtmp.Cancel))},
		{pattern: "POST /jobs/{id}/pause", scope: ffrtmp.ScopeSubmit, audit: true, serve: with(s.act(ffrtmp.Pause))},
		{pattern: "POST /jobs/{id}/resume", scope: ffrtmp.ScopeSubmit, audit: true, serve: with(s.act(ffrtmp.Resume))},
		{pattern: "POST /jobs/{id}/retry", scope: ffrtmp.ScopeSubmit, audit: true, serve: with(s.act(ffrtmp.Retry))},
		bulk("POST /jobs/cancel", with(s.change(ffrtmp.Cancel))),
		bulk("POST /jobs/pause", with(s.change(ffrtmp.Pause))),
		bulk("POST /jobs/resume", with(s.change(ffrtmp.Resume))),
		bulk("POST /jobs/retry", with(s.change(ffrtmp.Retry))),
		bulk("POST /jobs/priority", with(s.prioritize)),
		{
			pattern: "GET /jobs/{id}/logs", scope: ffrtmp.ScopeRead, servedBy: byConsistency, serve: s.logs, long: true,
			query: []string{"attempt", "follow", "offset"},
		},
		{
			pattern: "GET /jobs/{id}/media", scope: ffrtmp.ScopeRead, servedBy: byConsistency, serve: s.media,
			query: []string{"attempt"},
		},
		{
			pattern: "GET /jobs/{id}/output", scope: ffrtmp.ScopeRead, servedBy: anyMaster, serve: s.output, long: true,
		},
		{pattern: "GET /jobs/{id}/explain", scope: ffrtmp.ScopeRead, servedBy: byConsistency, serve: s.explain},

		{pattern: "POST /jobs/claim", scope: ffrtmp.ScopeAgent, serve: with(s.claim), long: true, repeat: true},
		{pattern: "GET /jobs/next", scope: ffrtmp.ScopeAgent, serve: s.next, query: []string{"node_id"}},
		{pattern: "POST /results", scope: ffrtmp.ScopeAgent, serve: with(s.result), repeat: true},

		{pattern: "POST /nodes/register", scope: ffrtmp.ScopeAgent, serve: with(s.register), repeat: true},
		{pattern: "POST /nodes/{id}/heartbeat", scope: ffrtmp.ScopeAgent, serve: s.heartbeat, long: true, repeat: true},
		{pattern: "GET /nodes", scope: ffrtmp.ScopeRead, servedBy: byConsistency, serve: s.listNodes},
		{pattern: "GET /nodes/{id}", scope: ffrtmp.ScopeRead, servedBy: byConsistency, serve: s.getNode},
		{
			pattern: "DELETE /nodes/{id}", scope: ffrtmp.ScopeAdmin, audit: true, serve: with(s.removeNode),
			query: []string{"force"},
		},
		{
			pattern: "POST /nodes/{id}/drain",
			scope:   ffrtmp.ScopeAdmin,
			audit:   true,
			serve:   with(s.drainNode),
		},
		{
			pattern: "POST /nodes/{id}/cordon",
			scope:   ffrtmp.ScopeAdmin,
			audit:   true,
			serve:   with(s.setEligibility(ffrtmp.Cordoned)),
		},
		{
			pattern: "POST /nodes/{id}/uncordon",
			scope:   ffrtmp.ScopeAdmin,
			audit:   true,
			serve:   with(s.setEligibility(ffrtmp.Eligible)),
		},

		{
			pattern: "GET /events", scope: ffrtmp.ScopeRead, servedBy: anyMaster, serve: s.streamEvents, long: true,
			query: []string{"since", "type", "job_id", "progress"},
		},
		{pattern: "POST /query", scope: ffrtmp.ScopeAdmin, servedBy: byConsistency, serve: with(s.query), repeat: true},
		{
			pattern: "POST /import",
			scope:   ffrtmp.ScopeAdmin,
			audit:   true,
			serve:   with(s.importBatch),
			maxBody: ffrtmp.MaxImportBytes,
			repeat:  true,
			query:   []string{"dry_run"},
		},

		{pattern: "GET /cluster", scope: ffrtmp.ScopeRead, servedBy: byConsistency, serve: s.clusterStatus},
		{
			pattern: "GET /cluster/snapshot", scope: ffrtmp.ScopeAdmin, servedBy: byConsistency, serve: s.saveSnapshot,
			long: true,
		},
		{
			pattern: "POST /cluster/restore", scope: ffrtmp.ScopeAdmin, audit: true, serve: s.restore, upload: true,
			query: []string{"force"},
		},
		{
			pattern: "POST /cluster/leader/transfer",
			scope:   ffrtmp.ScopeAdmin,
			audit:   true,
			serve:   with(s.transferLeader),
		},
		{
			pattern: "DELETE /cluster/members/{id}", scope: ffrtmp.ScopeAdmin, audit: true,
			serve: with(s.changeMember(cluster.Remove)), query: []string{"force"},
		},
		{
			pattern: "POST /cluster/members/{id}/promote", scope: ffrtmp.ScopeAdmin, audit: true,
			serve: with(s.changeMember(cluster.Promote)), query: []string{"force"},
		},
		{
			pattern: "POST /cluster/members/{id}/demote", scope: ffrtmp.ScopeAdmin, audit: true,
			serve: with(s.changeMember(cluster.Demote)), query: []string{"force"},
		},
		{
			pattern: "GET /cluster/autopilot", scope: ffrtmp.ScopeRead, servedBy: byConsistency, serve: s.getAutopilot,
		},
		{pattern: "PUT /cluster/autopilot", scope: ffrtmp.ScopeAdmin, audit: true, serve: with(s.setAutopilot)},
		{
			pattern: "GET /cluster/gossip-keys", scope: ffrtmp.ScopeAdmin, servedBy: byConsistency,
			serve: s.listGossipKeys,
		},
		{
			pattern: "POST /cluster/gossip-keys", scope: ffrtmp.ScopeAdmin, audit: true,
			serve: with(s.installGossipKey),
		},
		{
			pattern: "POST /cluster/gossip-keys/{fingerprint}/use", scope: ffrtmp.ScopeAdmin, audit: true,
			serve: with(s.rotateGossipKeys(cluster.UseKey, "used")), query: []string{"force"},
		},
		{
			pattern: "DELETE /cluster/gossip-keys/{fingerprint}", scope: ffrtmp.ScopeAdmin, audit: true,
			serve: with(s.rotateGossipKeys(cluster.RemoveKey, "removed")), query: []string{"force"},
		},

		{pattern: "POST /keys", scope: ffrtmp.ScopeAdmin, audit: true, serve: with(s.createKey)},
		{pattern: "GET /keys", scope: ffrtmp.ScopeAdmin, servedBy: byConsistency, serve: s.listKeys},
		{pattern: "GET /keys/{id}", scope: ffrtmp.ScopeAdmin, servedBy: byConsistency, serve: s.getKey},
		{pattern: "DELETE /keys/{id}", scope: ffrtmp.ScopeAdmin, audit: true, serve: with(s.revokeKey)},
		{pattern: "POST /session", scope: ffrtmp.ScopeRead, audit: true, signIn: true, serve: with(s.openSession)},
		{pattern: "GET /session", scope: ffrtmp.ScopeRead, servedBy: anyMaster, serve: s.getSession, asks: true},
		{pattern: "DELETE /session", scope: ffrtmp.ScopeRead, audit: true, serve: with(s.endSession)},
		{
			pattern: "GET /audit", scope: ffrtmp.ScopeAdmin, servedBy: byConsistency, serve: s.audit,
			query: []string{"limit", "cursor", "since"},
		},

		{
			pattern: "GET /stats", scope: ffrtmp.ScopeRead, servedBy: byConsistency, serve: s.stats,
			query: []string{"window"},
		},
		{
			pattern: "GET /debug/pprof/{profile}", scope: ffrtmp.ScopeAdmin, servedBy: anyMaster, serve: s.profile,
			long: true, query: []string{"seconds", "debug"},
		},
		{pattern: "GET /catalogue", scope: ffrtmp.ScopeRead, servedBy: anyMaster, serve: s.catalogue},
		{pattern: "GET /openapi.yaml", servedBy: anyMaster, open: true, serve: s.openapi},

		{pattern: "GET /health", servedBy: anyMaster, open: true, serve: s.health},
		{pattern: "GET /health/live", servedBy: anyMaster, open: true, serve: s.health},
		{pattern: "GET /health/ready", servedBy: anyMaster, open: true, serve: s.healthReady},
		{pattern: "GET /health/leader", servedBy: anyMaster, open: true, serve: s.healthLeader},
	}
}

// bulk is an endpoint that changes many jobs. A million of them take about a minute.
func bulk(pattern string, serve func(*call) (*answer, error)) endpoint {
	return endpoint{
		pattern: pattern, scope: ffrtmp.ScopeSubmit, audit: true, long: true, serve: serve, query: []string{"dry_run"},
	}
}

// routeAll routes requests to endpoints, and all others to noRoute.
func (s *Server) routeAll() {
	words := map[string]servedBy{} // paths without a wildcard, and who serves GET there
	for _, e := range s.endpoints() {
		s.mux.Handle(e.pattern, s.handler(&e))
		s.routes[e.pattern] = true
		method, path, _ := strings.Cut(e.pattern, " ")
		if _, known := words[path]; !strings.Contains(path, "{") && (method == http.MethodGet || !known) {
			words[path] = e.servedBy
		}
	}
	for path, by := range words {
		for _, method := range methods {
			// HEAD is a GET, except where a GET has an effect. GET /jobs/batch is not a
			// request for a job of that name.
			if head := method == http.MethodHead && by != leaderOnly; !head && !s.routes[method+" "+path] {
				s.mux.HandleFunc(method+" "+path, s.noRoute)
			}
		}
	}
	s.mux.HandleFunc("/", s.noRoute)
}

// route is ServeMux without redirects to clean paths.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	if !isClean(r.URL) {
		s.noRoute(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// isClean reports whether a path has no empty, "." or ".." segments.
func isClean(u *url.URL) bool {
	p := u.EscapedPath()
	return strings.HasPrefix(p, "/") && strings.TrimSuffix(p, "/") == strings.TrimSuffix(path.Clean(p), "/")
}

// noRoute answers requests without an endpoint: 405 if the path has one for another method.
func (s *Server) noRoute(w http.ResponseWriter, r *http.Request) {
	if _, err := s.admit(r, false); err != nil {
		s.recordFailure(r, false, err)
		writeError(w, err)
		return
	}
	allow := s.allowed(r)
	if allow == nil {
		writeError(w, ffrtmp.Errorf(ffrtmp.NotFound, "no such path: %s", r.URL.Path))
		return
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	writeJSON(w, http.StatusMethodNotAllowed, problem{
		Error:  shorten(r.Method + " is not allowed here; use " + strings.Join(allow, " or ")),
		Code:   ffrtmp.Invalid,
		Status: http.StatusMethodNotAllowed,
	})
}

// allowed lists the methods that a request's path has.
func (s *Server) allowed(r *http.Request) (allow []string) {
	if !isClean(r.URL) {
		return nil
	}
	for _, method := range methods {
		probe := r.Clone(r.Context())
		probe.Method = method
		if _, pattern := s.mux.Handler(probe); s.routes[pattern] {
			allow = append(allow, method)
		}
	}
	return allow
}
