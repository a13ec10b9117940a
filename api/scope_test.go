package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// matrix has, for every route, the scopes that are accepted besides admin ("": no key is needed)
// and whether it is audited.
var matrix = map[string]struct {
	scopes  string
	audited bool
}{
	"POST /jobs":             {scopes: "submit"},
	"POST /jobs/batch":       {scopes: "submit"},
	"GET /jobs":              {scopes: "submit read"},
	"GET /jobs/progress":     {scopes: "submit read"},
	"GET /jobs/{id}":         {scopes: "submit read"},
	"GET /api/v1/jobs/{id}":  {scopes: "submit read agent"},
	"PATCH /jobs/{id}":       {scopes: "submit", audited: true},
	"POST /jobs/{id}/cancel": {scopes: "submit", audited: true},
	"POST /jobs/{id}/pause":  {scopes: "submit", audited: true},
	"POST /jobs/{id}/resume": {scopes: "submit", audited: true},
	"POST /jobs/{id}/retry":  {scopes: "submit", audited: true},
	"POST /jobs/cancel":      {scopes: "submit", audited: true},
	"POST /jobs/pause":       {scopes: "submit", audited: true},
	"POST /jobs/resume":      {scopes: "submit", audited: true},
	"POST /jobs/retry":       {scopes: "submit", audited: true},
	"POST /jobs/priority":    {scopes: "submit", audited: true},
	"GET /jobs/{id}/logs":    {scopes: "submit read"},
	"GET /jobs/{id}/media":   {scopes: "submit read"},
	"GET /jobs/{id}/output":  {scopes: "submit read"},
	"GET /jobs/{id}/explain": {scopes: "submit read"},

	"GET /stats":     {scopes: "submit read"},
	"GET /catalogue": {scopes: "submit read"},

	"POST /jobs/claim":           {scopes: "agent"},
	"GET /jobs/next":             {scopes: "agent"},
	"POST /results":              {scopes: "agent"},
	"POST /nodes/register":       {scopes: "agent"},
	"POST /nodes/{id}/heartbeat": {scopes: "agent"},

	"GET /nodes":                {scopes: "submit read"},
	"GET /nodes/{id}":           {scopes: "submit read"},
	"DELETE /nodes/{id}":        {scopes: "none", audited: true},
	"POST /nodes/{id}/drain":    {scopes: "none", audited: true},
	"POST /nodes/{id}/cordon":   {scopes: "none", audited: true},
	"POST /nodes/{id}/uncordon": {scopes: "none", audited: true},

	"GET /events":  {scopes: "submit read"},
	"POST /query":  {scopes: "none"},
	"POST /import": {scopes: "none", audited: true},

	"GET /cluster":                  {scopes: "submit read"},
	"GET /cluster/snapshot":         {scopes: "none"},
	"GET /debug/pprof/{profile}":    {scopes: "none"},
	"POST /cluster/restore":         {scopes: "none", audited: true},
	"POST /cluster/leader/transfer": {scopes: "none", audited: true},

	"DELETE /cluster/members/{id}":       {scopes: "none", audited: true},
	"POST /cluster/members/{id}/promote": {scopes: "none", audited: true},
	"POST /cluster/members/{id}/demote":  {scopes: "none", audited: true},
	"GET /cluster/autopilot":             {scopes: "submit read"},
	"PUT /cluster/autopilot":             {scopes: "none", audited: true},

	"GET /cluster/gossip-keys":                    {scopes: "none"},
	"POST /cluster/gossip-keys":                   {scopes: "none", audited: true},
	"POST /cluster/gossip-keys/{fingerprint}/use": {scopes: "none", audited: true},
	"DELETE /cluster/gossip-keys/{fingerprint}":   {scopes: "none", audited: true},

	"POST /keys":        {scopes: "none", audited: true},
	"GET /keys":         {scopes: "none"},
	"GET /keys/{id}":    {scopes: "none"},
	"DELETE /keys/{id}": {scopes: "none", audited: true},
	"GET /audit":        {scopes: "none"},

	"POST /session":   {scopes: "submit read", audited: true},
	"GET /session":    {scopes: "submit read"},
	"DELETE /session": {scopes: "submit read", audited: true},

	"GET /openapi.yaml":  {},
	"GET /health":        {},
	"GET /health/live":   {},
	"GET /health/ready":  {},
	"GET /health/leader": {},
}

// Every scope at every route: allowed, or refused with the missing scope.
func TestScopes(t *testing.T) {
	m := newMaster(t)
	m.submit(`{"scenario":"720p"}`)
	m.register(nodeA)
	keys := map[ffrtmp.Scope][]string{}
	for _, s := range ffrtmp.Scopes {
		_, keys[s] = m.createKey(`{"name":"` + string(s) + `","scopes":["` + string(s) + `"]}`)
	}
	seen := map[string]bool{}
	for _, e := range m.api.endpoints() {
		want, ok := matrix[e.pattern]
		if seen[e.pattern] = true; !ok {
			t.Errorf("%s: got no line in the matrix, want one", e.pattern)
			continue
		}
		if e.audit != want.audited {
			t.Errorf("%s: got audited %v, want %v", e.pattern, e.audit, want.audited)
		}
		if e.open != (want.scopes == "") || !e.open && e.scope == "" {
			t.Errorf("%s: got open %v, scope %q, want scopes %q", e.pattern, e.open, e.scope, want.scopes)
		}
		method, path, _ := strings.Cut(e.pattern, " ")
		path = strings.NewReplacer("{id}", "unknown", "{profile}", "unknown").Replace(path)
		if path == "/events" {
			path += "?since=invalid" // a stream would not end
		}
		if r := m.request(method, path, "", "Authorization", ""); (r.StatusCode == 401) == e.open {
			t.Errorf("%s: got %d without a key, want 401 unless it is open (%v)", e.pattern, r.StatusCode, e.open)
		}
		if e.open {
			continue
		}
		for _, scope := range ffrtmp.Scopes {
			allowed := scope == ffrtmp.ScopeAdmin || strings.Contains(want.scopes, string(scope))
			r := m.request(method, path, "", keys[scope]...)
			var p problem
			if r.StatusCode >= 400 {
				r.decode(t, &p)
			}
			switch {
			case allowed && (r.StatusCode == http.StatusForbidden || r.StatusCode == http.StatusUnauthorized):
				t.Errorf("%s with %s: got %d %s, want it allowed", e.pattern, scope, r.StatusCode, p.Error)
			case !allowed && (r.StatusCode != http.StatusForbidden || p.Code != ffrtmp.Forbidden ||
				!strings.Contains(p.Error, "scope "+string(e.scope))):
				t.Errorf("got %s with %s: %d %+v, want 403 that names %s", e.pattern, scope, r.StatusCode, p, e.scope)
			}
		}
	}
	for pattern := range matrix {
		if !seen[pattern] {
			t.Errorf("got no endpoint %s, want one", pattern)
		}
	}
	for _, pattern := range []string{"GET /nothing", "PUT /jobs"} {
		method, path, _ := strings.Cut(pattern, " ")
		m.want(401, method, path, "", "Authorization", "")
		if r := m.request(method, path, "", keys[ffrtmp.ScopeAgent]...); r.StatusCode != 404 && r.StatusCode != 405 {
			t.Errorf("%s: got %d, want 404 or 405", pattern, r.StatusCode)
		}
	}
}
