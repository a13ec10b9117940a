package api

import (
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/ffrtmp/ffrtmp"
)

var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// routeAll gives every endpoint its requests, and noRoute all others.
func (s *Server) routeAll() {
	words := map[string]place{} // paths without a wildcard
	for _, e := range s.endpoints() {
		s.mux.Handle(e.pattern, s.handler(&e))
		s.routes[e.pattern] = true
		if _, path, _ := strings.Cut(e.pattern, " "); !strings.Contains(path, "{") {
			words[path] = e.place
		}
	}
	for path, place := range words {
		for _, method := range methods {
			// HEAD is a GET, unless that is no mere read: then it would have its effect
			// and throw the answer away. GET /jobs/batch asks for no job of that name.
			if head := method == http.MethodHead && place != onLeader; !head && !s.routes[method+" "+path] {
				s.mux.HandleFunc(method+" "+path, s.noRoute)
			}
		}
	}
	s.mux.HandleFunc("/", s.noRoute)
}

// route is ServeMux without its redirects to a path that is clean.
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

// noRoute answers what is no endpoint's: 405 when another method would be.
func (s *Server) noRoute(w http.ResponseWriter, r *http.Request) {
	if _, err := s.admit(r, false); err != nil {
		writeError(w, err)
		return
	}
	allow := s.allowed(r)
	if allow == nil {
		writeError(w, ffrtmp.Errorf(ffrtmp.NotFound, "there is nothing at %s", r.URL.Path))
		return
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	writeJSON(w, http.StatusMethodNotAllowed, problem{
		Error: shorten(r.Method + " is not possible here; use " + strings.Join(allow, " or ")), Code: ffrtmp.Invalid, Status: http.StatusMethodNotAllowed,
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
