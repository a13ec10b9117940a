package api

import (
	"net/http"
	"strings"
)

// MountConsole serves the web console at /ui/ and redirects a browser there from /. Call it before Serve.
func (s *Server) MountConsole(console http.Handler) {
	s.mux.Handle("/ui/", console)
	s.mux.Handle("GET /ui", http.RedirectHandler("/ui/", http.StatusSeeOther))
	s.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept")
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			s.noRoute(w, r)
			return
		}
		http.Redirect(w, r, "/ui/", http.StatusSeeOther)
	})
}
