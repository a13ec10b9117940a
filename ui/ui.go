// Package ui is the web console that every master serves at /ui/: pages made on the server from html/template, with
// htmx, server-sent events and uPlot in the browser.
//
// A page reads and changes nothing by itself. Each of its calls is a request to the API's own handler, in this process,
// with the key of the session (call.go). So authorization, forwarding to the leader, validation, the audit log and
// idempotency are the API's.
package ui

import (
	"crypto/rand"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp"
)

// Config configures a Console. All fields are required.
type Config struct {
	API     http.Handler    // of this master
	Masters func() []string // API URLs of all masters
	Self    func() string   // name of this master
	Cluster string          // name of the cluster
	Secure  bool            // the API is served over HTTPS
	Version string
	Logger  hclog.Logger
}

// Console serves the pages. It is safe for concurrent use.
type Console struct {
	cfg       Config
	mux       *http.ServeMux
	templates *template.Template
	assets    *assets
	signIns   signIns
	shared    sharing
	anyForm   string // stands for each visitor's token in parts that are shared
	crossSite *http.CrossOriginProtection
}

// maxForm bounds the body of a form.
const maxForm = 1 << 20

// New returns the handler of every path below /ui/.
func New(cfg Config) (*Console, error) {
	assets, err := loadAssets()
	if err != nil {
		return nil, err
	}
	c := &Console{cfg: cfg, mux: http.NewServeMux(), assets: assets, anyForm: rand.Text()}
	c.crossSite = http.NewCrossOriginProtection()
	if c.templates, err = c.parse(); err != nil {
		return nil, err
	}
	c.route()
	return c, nil
}

// page is one page or form: what the visitor's key must allow, and the function that answers.
type page struct {
	pattern string
	scope   ffrtmp.Scope
	serve   func(*visit) error
	live    bool // pages load it again and again
}

func (c *Console) pages() []page {
	return []page{
		{"GET /ui/{$}", ffrtmp.ScopeRead, overview, true},
		{"GET /ui/jobs", ffrtmp.ScopeRead, jobs, false},
		{"POST /ui/jobs", ffrtmp.ScopeSubmit, changeJobs, false},
		{"GET /ui/jobs/rows", ffrtmp.ScopeRead, jobRows, true},
		{"GET /ui/jobs/{id}", ffrtmp.ScopeRead, job, true},
		{"GET /ui/jobs/{id}/log", ffrtmp.ScopeRead, jobLog, false},
		{"GET /ui/jobs/{id}/output", ffrtmp.ScopeRead, jobOutput, false},
		{"POST /ui/jobs/{id}/priority", ffrtmp.ScopeSubmit, setPriority, false},
		{"POST /ui/jobs/{id}/{verb}", ffrtmp.ScopeSubmit, actOnJob, false},
		{"GET /ui/submit", ffrtmp.ScopeSubmit, submitForm, false},
		{"POST /ui/submit", ffrtmp.ScopeSubmit, submitJob, false},
		{"POST /ui/submit/check", ffrtmp.ScopeSubmit, checkJob, false},
		{"GET /ui/nodes", ffrtmp.ScopeRead, nodes, true},
		{"GET /ui/nodes/{id}", ffrtmp.ScopeRead, node, true},
		{"POST /ui/nodes/{id}/{verb}", ffrtmp.ScopeAdmin, actOnNode, false},
		{"GET /ui/cluster", ffrtmp.ScopeRead, clusterStatus, true},
		{"POST /ui/cluster/{id}/{verb}", ffrtmp.ScopeAdmin, actOnMember, false},
		{"GET /ui/keys", ffrtmp.ScopeAdmin, keys, false},
		{"POST /ui/keys", ffrtmp.ScopeAdmin, createKey, false},
		{"POST /ui/keys/{id}/revoke", ffrtmp.ScopeAdmin, revokeKey, false},
		{"GET /ui/audit", ffrtmp.ScopeAdmin, audit, false},
		{"GET /ui/activity", ffrtmp.ScopeRead, activity, false},
		{"GET /ui/query", ffrtmp.ScopeAdmin, queryForm, false},
		{"POST /ui/query", ffrtmp.ScopeAdmin, runQuery, false},
		{"GET /ui/events", ffrtmp.ScopeRead, events, false},
		{"GET /ui/masters", ffrtmp.ScopeRead, masters, true},
		{"POST /ui/logout", ffrtmp.ScopeRead, signOut, false},
	}
}

func (c *Console) route() {
	for _, p := range c.pages() {
		c.mux.HandleFunc(p.pattern, func(w http.ResponseWriter, r *http.Request) {
			c.visit(w, r, p) //nolint:contextcheck // a visit has it
		})
	}
	c.mux.HandleFunc("GET /ui/login", c.showSignIn)
	c.mux.HandleFunc("POST /ui/login", c.signIn)
	c.mux.Handle("GET /ui/static/{version}/{file}", c.assets)
	c.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		none := func(*visit) error { return ffrtmp.Errorf(ffrtmp.NotFound, "this page does not exist") }
		c.visit(w, r, page{scope: ffrtmp.ScopeRead, serve: none}) //nolint:contextcheck // a visit has it
	})
}

// policy allows nothing but files of this master.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"media-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if err := c.crossSite.Check(r); err != nil {
		http.Error(w, "this form was sent from another site", http.StatusForbidden)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	c.mux.ServeHTTP(w, r)
}

// visit answers a request of somebody who is signed in, and sends others to the sign-in page.
func (c *Console) visit(w http.ResponseWriter, r *http.Request, p page) {
	v := &visit{w: w, Request: r, console: c, token: tokenOf(r)}
	err := v.identify()
	if ffrtmp.CodeOf(err) == ffrtmp.Unauthenticated {
		v.toSignIn()
		return
	}
	if err == nil && !v.who.May(p.scope) {
		err = ffrtmp.Errorf(ffrtmp.Forbidden, "your key has no scope %s", p.scope)
	}
	if err == nil && r.Method == http.MethodPost {
		err = v.checkForm()
	}
	switch {
	case err != nil:
	case p.live && v.isPart():
		err = v.share(p.serve)
	default:
		err = p.serve(v)
	}
	switch {
	case err == nil:
	case ffrtmp.CodeOf(err) == ffrtmp.Unauthenticated:
		v.toSignIn()
	case r.Method == http.MethodPost:
		v.back(notice{Bad: true, Text: sentence(err)})
	default:
		v.fail(err)
	}
}

// toSignIn sends the visitor to the sign-in page, which leads back here.
func (v *visit) toSignIn() {
	target := "/ui/login"
	if next := v.page(); next != "" && next != "/ui/" {
		target += "?" + url.Values{"next": {next}}.Encode()
	}
	if v.token != "" {
		v.console.setToken(v.w, "")
		v.notify(notice{Text: "Your session has ended. Sign in again."})
	}
	if v.isPart() {
		v.w.Header().Set("HX-Redirect", target)
		v.w.WriteHeader(http.StatusUnauthorized)
		return
	}
	http.Redirect(v.w, v.Request, target, http.StatusSeeOther)
}

// page returns the path and query of the page that the visitor is on, "" if that is not known.
func (v *visit) page() string {
	if !v.isPart() && v.Method == http.MethodGet {
		return v.URL.RequestURI()
	}
	u, err := url.Parse(v.Header.Get("HX-Current-URL"))
	if err != nil || u.Path == "" {
		return ""
	}
	return u.RequestURI()
}

// isPart reports whether a script loads a part of a page, or its events.
func (v *visit) isPart() bool {
	return v.Header.Get("HX-Request") != "" || v.Header.Get("Accept") == "text/event-stream"
}

// localPath returns a path of the console, or fallback for anything else.
func localPath(path, fallback string) string {
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.Path, "/ui/") ||
		strings.Contains(path, "\\") {
		return fallback
	}
	return u.RequestURI()
}
