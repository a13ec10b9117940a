package ui

import (
	"bytes"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// document is what the layout of every page needs.
type document struct {
	Title   string
	Nav     []navItem
	Visit   *visit
	Content template.HTML // made by the template of the page
	Notice  notice
	Theme   string // dark, light or "": the browser's
	Events  string // types of events, with spaces between
	Masters []string
	Self    string
	Cluster string
	Version string
	Missing bool // third-party scripts
}

// navItem is a page of the navigation.
type navItem struct {
	Path, Title string
	Here        bool
}

// navigation lists the pages and the scope that each needs.
var navigation = []struct {
	path, title string
	scope       ffrtmp.Scope
}{
	{"/ui/", "Overview", ffrtmp.ScopeRead},
	{"/ui/jobs", "Jobs", ffrtmp.ScopeRead},
	{"/ui/submit", "Submit", ffrtmp.ScopeSubmit},
	{"/ui/nodes", "Nodes", ffrtmp.ScopeRead},
	{"/ui/cluster", "Cluster", ffrtmp.ScopeRead},
	{"/ui/activity", "Activity", ffrtmp.ScopeRead},
	{"/ui/keys", "Keys", ffrtmp.ScopeAdmin},
	{"/ui/audit", "Audit", ffrtmp.ScopeAdmin},
	{"/ui/query", "Query", ffrtmp.ScopeAdmin},
}

// subject is what the template of a page gets.
type subject struct {
	*visit
	Data any
}

// May reports whether the visitor's key has a scope. What it does not allow is not offered.
func (s subject) May(scope ffrtmp.Scope) bool { return s.who.May(scope) }

// Stale reports that there is no leader: nothing can be changed.
func (s subject) Stale() bool { return s.stale }

// CSRF is the token of the forms of this session.
func (s subject) CSRF() string {
	if s.forAll {
		return s.console.anyForm
	}
	return formToken(s.token)
}

// Here is the path and query of this page.
func (s subject) Here() string { return s.URL.RequestURI() }

func (c *Console) parse() (*template.Template, error) {
	names, err := templateNames()
	if err != nil {
		return nil, err
	}
	functions := templateFunctions()
	functions["asset"] = c.assets.url
	return template.New("ui").Funcs(functions).ParseFS(templateFiles, names...)
}

// render answers with a page, or with its content only to a script.
func (v *visit) render(status int, name, title string, data any) {
	c := v.console
	var content, page bytes.Buffer
	err := c.templates.ExecuteTemplate(&content, name, subject{v, data})
	if v.isPart() {
		v.answer(status, &content, err)
		return
	}
	if err == nil {
		err = c.templates.ExecuteTemplate(&page, "layout", v.document(title, content.String()))
	}
	v.answer(status, &page, err)
}

// renderPart answers with a part of a page.
func (v *visit) renderPart(name string, data any) {
	var part bytes.Buffer
	err := v.console.templates.ExecuteTemplate(&part, name, subject{v, data})
	v.answer(http.StatusOK, &part, err)
}

func (v *visit) answer(status int, body *bytes.Buffer, err error) {
	if err != nil {
		v.console.cfg.Logger.Error("page failed", "path", v.URL.Path, "error", err)
		http.Error(v.w, "this page cannot be shown; see the master's log", http.StatusInternalServerError)
		return
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(body.Bytes()) // an error means that the browser is gone
}

func (v *visit) document(title, content string) document {
	c := v.console
	d := document{
		Title: title, Visit: v, Content: template.HTML(content),
		Notice: v.takeNotice(), Masters: c.cfg.Masters(), Self: c.cfg.Self(), Cluster: c.cfg.Cluster,
		Version: c.cfg.Version, Missing: c.assets.missing,
	}
	if cookie, err := v.Cookie(themeCookie); err == nil && (cookie.Value == "dark" || cookie.Value == "light") {
		d.Theme = cookie.Value
	}
	words := make([]string, len(ffrtmp.EventTypes))
	for i, t := range ffrtmp.EventTypes {
		words[i] = string(t)
	}
	d.Events = strings.Join(words, " ")
	for _, n := range navigation {
		if v.who.May(n.scope) {
			here := v.URL.Path == n.path || n.path != "/ui/" && strings.HasPrefix(v.URL.Path, n.path+"/")
			d.Nav = append(d.Nav, navItem{n.path, n.title, here})
		}
	}
	return d
}

// Accessors for the layout.

// Subject lets the layout use what pages use.
func (d document) Subject() subject { return subject{d.Visit, nil} }

// Who is the visitor.
func (d document) Who() ffrtmp.Identity { return d.Visit.who }

// Scopes are those of the visitor.
func (d document) Scopes() string { return ffrtmp.JoinScopes(d.Visit.who.Scopes, ", ") }

// Index is the Raft index after which events are of interest.
func (d document) Index() uint64 { return d.Visit.index }

// Age is how old the state is, on a master without a leader.
func (d document) Age() time.Duration { return d.Visit.age.Round(time.Second) }

// Session reports whether the visitor has a session, rather than an API that is open to all.
func (d document) Session() bool { return d.Visit.who.Kind == ffrtmp.KeySession }

// problemPage is what the page of an error shows.
type problemPage struct {
	Status int
	Title  string
	Text   string
}

// fail answers with the page of an error.
func (v *visit) fail(err error) {
	status, title := http.StatusInternalServerError, "This did not work"
	switch ffrtmp.CodeOf(err) {
	case ffrtmp.NotFound:
		status, title = http.StatusNotFound, "Not found"
	case ffrtmp.Forbidden:
		status, title = http.StatusForbidden, "Not allowed"
	case ffrtmp.Invalid:
		status, title = http.StatusBadRequest, "Not a valid request"
	case ffrtmp.NoLeader, ffrtmp.UnknownOutcome:
		status, title = http.StatusServiceUnavailable, "No leader"
	case ffrtmp.RateLimited:
		status, title = http.StatusTooManyRequests, "Too many requests"
	}
	v.render(status, "problem", title, problemPage{status, title, sentence(err)})
}

// sentence is an error as a sentence.
func sentence(err error) string {
	var e *ffrtmp.Error
	text := "internal error; see the master's log"
	if errors.As(err, &e) {
		text = e.Error()
	}
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// with returns the address of this page with one parameter changed; "" removes it.
func (s subject) With(name, value string) string {
	q := s.URL.Query()
	q.Del("cursor")
	if value == "" {
		q.Del(name)
	} else {
		q.Set(name, value)
	}
	return (&url.URL{Path: s.URL.Path, RawQuery: q.Encode()}).String()
}
