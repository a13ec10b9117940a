package ui_test

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/mastertest"
	"github.com/ffrtmp/ffrtmp/master"
)

const apiKey = "console-test-key"

// browser is a visitor with cookies who follows no redirects by itself.
type browser struct {
	*testing.T
	master *mastertest.Master
	http   http.Client
}

func open(t *testing.T) *browser {
	t.Helper()
	m := mastertest.Start(t, func(c *master.Config) { c.APIKey = apiKey })
	return visitor(t, m)
}

func visitor(t *testing.T, m *mastertest.Master) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{T: t, master: m}
	b.http.Jar = jar
	b.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return b
}

// page is an answer with its body.
type page struct {
	*http.Response
	text string
}

func (b *browser) do(method, path string, form url.Values, header ...string) page {
	b.Helper()
	body := strings.NewReader(form.Encode())
	r, err := http.NewRequestWithContext(context.Background(), method, b.master.URL()+path, body)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := b.http.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	return page{resp, string(text)}
}

// get loads a page that must exist.
func (b *browser) get(path string) page {
	b.Helper()
	p := b.do("GET", path, nil)
	if p.StatusCode != http.StatusOK {
		b.Fatalf("GET %s: got %d %s, want 200", path, p.StatusCode, p.Header.Get("Location"))
	}
	return p
}

func (b *browser) signIn(key string) page {
	b.Helper()
	return b.do("POST", "/ui/login", url.Values{"key": {key}, "next": {"/ui/jobs?status=failed"}})
}

// signedIn opens a console with a session of an admin.
func signedIn(t *testing.T) *browser {
	t.Helper()
	b := open(t)
	if p := b.signIn(apiKey); p.StatusCode != http.StatusSeeOther {
		t.Fatalf("got %d %s, want a redirect", p.StatusCode, p.text)
	}
	return b
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// post sends a form with the token of a page.
func (b *browser) post(on, path string, form url.Values) page {
	b.Helper()
	token := csrfField.FindStringSubmatch(b.get(on).text)
	if token == nil {
		b.Fatalf("got no form on %s, want one", on)
	}
	form.Set("csrf", token[1])
	form.Set("next", on)
	return b.do("POST", path, form)
}

func (b *browser) submit(spec ffrtmp.Spec) ffrtmp.Job {
	b.Helper()
	j, err := b.master.Client.Submit(b.Context(), spec)
	if err != nil {
		b.Fatal(err)
	}
	return j
}

// A browser is sent from / to the console, other clients are not; a visitor without a session has to sign in.
func TestConsole_Entry(t *testing.T) {
	b := open(t)
	if p := b.do("GET", "/", nil); p.StatusCode != http.StatusSeeOther || p.Header.Get("Location") != "/ui/" {
		t.Errorf("got %d to %q, want a redirect to /ui/", p.StatusCode, p.Header.Get("Location"))
	}
	if p := b.do("GET", "/", nil, "Accept", "*/*"); p.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d without text/html, want 401", p.StatusCode)
	}
	p := b.do("GET", "/ui/jobs?status=failed", nil)
	if want := "/ui/login?next=%2Fui%2Fjobs%3Fstatus%3Dfailed"; p.Header.Get("Location") != want {
		t.Errorf("got a redirect to %q, want %q", p.Header.Get("Location"), want)
	}
	p = b.get("/ui/login")
	policy := p.Header.Get("Content-Security-Policy")
	if strings.Contains(policy, "unsafe") || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("got policy %q, want nothing inline and no other host", policy)
	}
	if strings.Contains(p.text, "<style") || strings.Contains(p.text, "style=") ||
		strings.Contains(p.text, "<script>") {
		t.Error("got inline script or style, want none")
	}
}

// A wrong key is refused; a right one opens a session in a cookie that scripts cannot read, and signing out ends it.
func TestConsole_Session(t *testing.T) {
	b := open(t)
	if p := b.signIn("wrong"); p.StatusCode != 401 || !strings.Contains(p.text, "not valid") || len(p.Cookies()) != 0 {
		t.Errorf("got %d and %d cookies, want a refusal", p.StatusCode, len(p.Cookies()))
	}
	p := b.signIn(apiKey)
	if p.Header.Get("Location") != "/ui/jobs?status=failed" || len(p.Cookies()) != 1 {
		t.Fatalf("got %d to %q, want the page that was asked for", p.StatusCode, p.Header.Get("Location"))
	}
	c := p.Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.MaxAge != 12*3600 ||
		strings.Contains(c.Value, apiKey) {
		t.Errorf("got cookie %+v, want a session of 12 hours", c)
	}
	b.get("/ui/jobs")
	if p := b.post("/ui/jobs", "/ui/logout", url.Values{}); p.Header.Get("Location") != "/ui/login" {
		t.Errorf("got %d %s, want the sign-in page", p.StatusCode, p.text)
	}
	if p := b.do("GET", "/ui/jobs", nil, "Cookie", "ffrtmp-session="+c.Value); p.StatusCode != http.StatusSeeOther {
		t.Errorf("got %d after signing out, want the sign-in page", p.StatusCode)
	}
	keys, err := b.master.Client.Keys(t.Context())
	if err != nil || len(keys) != 1 || keys[0].Kind != ffrtmp.KeySession || keys[0].RevokedAt.IsZero() {
		t.Errorf("got %+v, %v, want one session, revoked", keys, err)
	}
}

// After ten attempts an address has to wait.
func TestConsole_SignInLimit(t *testing.T) {
	b := open(t)
	for range 10 {
		if p := b.signIn("wrong"); p.StatusCode != http.StatusUnauthorized {
			t.Fatalf("got %d, want 401", p.StatusCode)
		}
	}
	if p := b.signIn(apiKey); p.StatusCode != http.StatusTooManyRequests {
		t.Errorf("got %d, want 429", p.StatusCode)
	}
}

// A form of another session, or of another site, changes nothing.
func TestConsole_ForgedForm(t *testing.T) {
	b := signedIn(t)
	j := b.submit(ffrtmp.Spec{Scenario: "720p"})
	path := "/ui/jobs/" + j.ID + "/cancel"
	for name, send := range map[string]func() page{
		"no token":     func() page { return b.do("POST", path, url.Values{}) },
		"wrong token":  func() page { return b.do("POST", path, url.Values{"csrf": {"x"}}) },
		"other site":   func() page { return b.do("POST", path, url.Values{}, "Sec-Fetch-Site", "cross-site") },
		"other origin": func() page { return b.do("POST", path, url.Values{}, "Origin", "https://evil.example") },
	} {
		send()
		if now, err := b.master.Client.Job(t.Context(), j.ID); err != nil || now.Status != ffrtmp.Pending {
			t.Errorf("%s: got %s, %v, want the job pending", name, now.Status, err)
		}
	}
	p := b.post("/ui/jobs/"+j.ID, path, url.Values{})
	if now, _ := b.master.Client.Job(t.Context(), j.ID); now.Status != ffrtmp.Canceled ||
		p.Header.Get("Location") != "/ui/jobs/"+j.ID {
		t.Errorf("got %s and %q, want the job canceled, and its page", now.Status, p.Header.Get("Location"))
	}
	if text := b.get("/ui/jobs/" + j.ID).text; !strings.Contains(text, "will be canceled") {
		t.Error("got no notice, want one")
	}
	if text := b.get("/ui/jobs/" + j.ID).text; strings.Contains(text, "will be canceled") {
		t.Error("got the notice twice, want it once")
	}
}

// The console never leads to another site.
func TestConsole_Next(t *testing.T) {
	for _, next := range []string{
		"https://evil.example/ui/", "//evil.example/ui/", "/\\evil.example", "javascript:alert(1)", "/jobs",
	} {
		b := open(t)
		p := b.do("POST", "/ui/login", url.Values{"key": {apiKey}, "next": {next}})
		if p.Header.Get("Location") != "/ui/" {
			t.Errorf("%s: got %q, want /ui/", next, p.Header.Get("Location"))
		}
	}
}

// What a key's scope does not allow is not offered, and refused all the same.
func TestConsole_Scopes(t *testing.T) {
	b := open(t)
	j := b.submit(ffrtmp.Spec{Scenario: "720p"})
	for _, scope := range ffrtmp.Scopes {
		k, err := b.master.Client.CreateKey(t.Context(),
			ffrtmp.NewKey{Name: string(scope), Scopes: []ffrtmp.Scope{scope}})
		if err != nil {
			t.Fatal(err)
		}
		v := visitor(t, b.master)
		signed := v.signIn(k.Secret).StatusCode == http.StatusSeeOther
		if want := scope != ffrtmp.ScopeAgent; signed != want {
			t.Errorf("%s: got signed in %v, want %v", scope, signed, want)
		}
		if !signed {
			continue
		}
		text := v.get("/ui/jobs/" + j.ID).text
		if got, want := strings.Contains(text, "/cancel"), scope != ffrtmp.ScopeRead; got != want {
			t.Errorf("%s: got cancel offered %v, want %v", scope, got, want)
		}
		v.post("/ui/jobs/"+j.ID, "/ui/jobs/"+j.ID+"/pause", url.Values{})
		now, err := b.master.Client.Job(t.Context(), j.ID)
		if got, want := now.Status == ffrtmp.Paused, scope != ffrtmp.ScopeRead; got != want || err != nil {
			t.Errorf("%s: got paused %v, %v, want %v", scope, got, err, want)
		}
		if err := b.master.Client.Resume(t.Context(), j.ID); scope != ffrtmp.ScopeRead && err != nil {
			t.Fatal(err)
		}
	}
}

// The list has pages, filters in its address, and rows for events.
func TestConsole_Jobs(t *testing.T) {
	b := signedIn(t)
	for range 60 {
		b.submit(ffrtmp.Spec{Scenario: "720p30", Labels: map[string]string{"team": "news"}})
	}
	last := b.submit(ffrtmp.Spec{Scenario: "1080p", Queue: ffrtmp.Live})
	first := b.get("/ui/jobs?label=team%3Dnews&status=pending&status=running").text
	next := regexp.MustCompile(`href="(/ui/jobs\?[^"]*cursor=[^"]*)"`).FindStringSubmatch(first)
	if strings.Count(first, "<tr id=") != 50 || next == nil || strings.Contains(first, last.ID) {
		t.Fatalf("got %d rows, next %v, want 50 and another page", strings.Count(first, "<tr id="), next)
	}
	if rest := b.get(strings.ReplaceAll(next[1], "&amp;", "&")).text; strings.Count(rest, "<tr id=") != 10 {
		t.Errorf("got %d rows, want the other 10", strings.Count(rest, "<tr id="))
	}
	if text := b.get("/ui/jobs?queue=live").text; !strings.Contains(text, last.ID) ||
		strings.Count(text, "<tr id=") != 1 {
		t.Error("got other jobs, want the one of the live queue")
	}
	if p := b.do("GET", "/ui/jobs?status=nonsense", nil); p.StatusCode != 400 || !strings.Contains(p.text, "nonsense") {
		t.Errorf("got %d, want 400 that names the value", p.StatusCode)
	}
	rows := b.do("GET", "/ui/jobs/rows?ids="+last.ID+",00000000-0000-4000-8000-000000000000", nil).text
	if strings.Count(rows, "<tr id=") != 1 || strings.Contains(rows, "<html") {
		t.Errorf("got %s, want the row of one job", rows)
	}
	if p := b.do("GET", "/ui/jobs/unknown", nil); p.StatusCode != 404 {
		t.Errorf("got %d, want 404", p.StatusCode)
	}
}

// Whatever a job's fields contain, a page shows it as text.
func TestConsole_HostileFields(t *testing.T) {
	b := signedIn(t)
	const hostile = `<script>alert(1)</script>"'&<img src=x onerror=alert(1)>`
	j := b.submit(ffrtmp.Spec{
		Scenario: "720p", Labels: map[string]string{"title": hostile},
		Parameters: []byte(`{"input":"` + strings.Repeat(`<script>`, 400) + `"}`),
	})
	for _, path := range []string{"/ui/jobs", "/ui/jobs/" + j.ID, "/ui/jobs?q=" + url.QueryEscape(hostile)} {
		text := b.get(path).text
		if strings.Contains(text, "<script>") || strings.Contains(text, "<img src=x") {
			t.Errorf("%s: got markup from a job's field, want text", path)
		}
	}
}

// Files are served packed, and their addresses change with them.
func TestConsole_Assets(t *testing.T) {
	b := open(t)
	path := regexp.MustCompile(`/ui/static/[0-9a-f]+/app.js`).FindString(b.get("/ui/login").text)
	p := b.do("GET", path, nil, "Accept-Encoding", "gzip")
	if p.Header.Get("Content-Encoding") != "gzip" || !strings.Contains(p.Header.Get("Cache-Control"), "immutable") ||
		!strings.HasPrefix(p.Header.Get("Content-Type"), "text/javascript") {
		t.Errorf("got %v, want packed script to keep", p.Header)
	}
	if p := b.do("GET", "/ui/static/0/nothing.js", nil); p.StatusCode != 404 {
		t.Errorf("got %d, want 404", p.StatusCode)
	}
}

// Each page is shown to an admin, and the pages that a key does not allow are neither offered nor served.
func TestConsole_Pages(t *testing.T) {
	b := signedIn(t)
	if _, err := b.master.Client.Register(t.Context(), ffrtmp.Registration{
		NodeID:  nodeID,
		Machine: ffrtmp.Machine{Name: "encoder-1", Address: "10.0.0.1", CPUThreads: 8, MaxConcurrentJobs: 2},
	}); err != nil {
		t.Fatal(err)
	}
	k, err := b.master.Client.CreateKey(t.Context(),
		ffrtmp.NewKey{Name: "reader", Scopes: []ffrtmp.Scope{ffrtmp.ScopeRead}})
	if err != nil {
		t.Fatal(err)
	}
	reader := visitor(t, b.master)
	reader.signIn(k.Secret)
	for path, want := range map[string]struct {
		text string
		read bool
	}{
		"/ui/":                {"0 of 2 slots taken", true},
		"/ui/nodes":           {"encoder-1", true},
		"/ui/nodes/" + nodeID: {"Runs now", true},
		"/ui/cluster":         {"</b> leads</li>", true},
		"/ui/activity":        {"Newest first", true},
		"/ui/masters":         {"leads", true},
		"/ui/submit":          {"1080p", false},
		"/ui/keys":            {"Create key", false},
		"/ui/audit":           {"key.create", false},
		"/ui/query":           {"Read-only SQL", false},
	} {
		if text := b.get(path).text; !strings.Contains(text, want.text) {
			t.Errorf("%s: got no %q, want it", path, want.text)
		}
		p := reader.do("GET", path, nil)
		if got := p.StatusCode == http.StatusOK; got != want.read {
			t.Errorf("%s: got %d for a reader, want it served %v", path, p.StatusCode, want.read)
		}
		if offered := strings.Contains(reader.get("/ui/").text, `href="`+path+`"`); offered && !want.read {
			t.Errorf("%s: got it offered to a reader, want it left out", path)
		}
	}
}

// A job is submitted once however often its form is sent; what is refused is shown beside what was typed.
func TestConsole_Submit(t *testing.T) {
	b := signedIn(t)
	p := b.post("/ui/submit", "/ui/submit", url.Values{"scenario": {"nonsense"}, "labels": {"team=news"}})
	if p.StatusCode != 422 || !strings.Contains(p.text, "Scenario") || !strings.Contains(p.text, "team=news") ||
		!strings.Contains(p.text, `aria-invalid="true"`) {
		t.Errorf("got %d, want the form again with the field at fault", p.StatusCode)
	}
	form := url.Values{
		"scenario": {"720p30"}, "labels": {"team=news\nlang=en"}, "duration": {"7.5"}, "nonce": {"once"},
		"parameters": {`{"fit":"pad"}`}, "queue": {"live"}, "priority": {"high"}, "max_retries": {"0"},
	}
	first := b.post("/ui/submit", "/ui/submit", form)
	again := b.post("/ui/submit", "/ui/submit", form)
	path := first.Header.Get("Location")
	if path != again.Header.Get("Location") || !strings.HasPrefix(path, "/ui/jobs/") {
		t.Fatalf("got %d to %q, then %q, want one job", first.StatusCode, path, again.Header.Get("Location"))
	}
	j, err := b.master.Client.Job(t.Context(), strings.TrimPrefix(path, "/ui/jobs/"))
	if err != nil || j.Labels["lang"] != "en" || j.Queue != ffrtmp.Live || j.MaxRetries != 0 ||
		!strings.Contains(string(j.Parameters), `"duration":7.5`) ||
		!strings.Contains(string(j.Parameters), `"fit":"pad"`) {
		t.Errorf("got %+v, %v, want what was typed", j, err)
	}
	if text := b.get("/ui/submit?clone=" + j.ID).text; !strings.Contains(text, "lang=en") ||
		!strings.Contains(text, "720p30") {
		t.Error("got an empty form, want the job's fields")
	}
}

// A bulk action counts first, and changes what matches.
func TestConsole_Bulk(t *testing.T) {
	b := signedIn(t)
	for _, team := range []string{"news", "news", "sport"} {
		b.submit(ffrtmp.Spec{Scenario: "720p", Labels: map[string]string{"team": team}})
	}
	on := "/ui/jobs?label=team%3Dnews"
	p := b.post(on, "/ui/jobs", url.Values{"verb": {"cancel"}, "f-label": {"team=news"}})
	if p.StatusCode != 200 || !strings.Contains(p.text, "Cancel 2 jobs?") {
		t.Fatalf("got %d %s, want 2 jobs counted", p.StatusCode, p.text)
	}
	b.post(on, "/ui/jobs", url.Values{
		"verb": {"high"}, "f-label": {"team=news"}, "confirmed": {"true"}, "nonce": {"m"},
	})
	if text := b.get("/ui/jobs?priority=high").text; strings.Count(text, "<tr id=") != 2 ||
		!strings.Contains(text, "2 jobs now with high priority") {
		t.Errorf("got %d jobs with high priority, want 2 and a notice", strings.Count(text, "<tr id="))
	}
	if p := b.post("/ui/jobs/3", "/ui/jobs/3/priority", url.Values{"priority": {"low"}}); p.StatusCode != 303 ||
		!strings.Contains(b.get("/ui/jobs/3").text, "default, low priority") {
		t.Errorf("got %d %s, want job 3 with low priority", p.StatusCode, p.text)
	}
	b.post(on, "/ui/jobs", url.Values{
		"verb": {"cancel"}, "f-label": {"team=news"}, "confirmed": {"true"}, "nonce": {"n"},
	})
	if text := b.get("/ui/jobs?status=canceled").text; strings.Count(text, "<tr id=") != 2 ||
		!strings.Contains(text, "2 jobs will be canceled") {
		t.Errorf("got %d canceled jobs, want 2 and a notice", strings.Count(text, "<tr id="))
	}
}

// A node is drained and let take jobs again.
func TestConsole_Node(t *testing.T) {
	b := signedIn(t)
	if _, err := b.master.Client.Register(t.Context(), ffrtmp.Registration{
		NodeID: nodeID, Machine: ffrtmp.Machine{Name: "encoder-1", Address: "10.0.0.1", CPUThreads: 8},
	}); err != nil {
		t.Fatal(err)
	}
	path := "/ui/nodes/" + nodeID
	for _, step := range []struct {
		verb string
		want ffrtmp.Eligibility
	}{{"drain", ffrtmp.Draining}, {"uncordon", ffrtmp.Eligible}, {"cordon", ffrtmp.Cordoned}} {
		b.post(path, path+"/"+step.verb, url.Values{})
		if n, err := b.master.Client.Node(t.Context(), nodeID); err != nil || n.Eligibility != step.want {
			t.Errorf("%s: got %s, %v, want %s", step.verb, n.Eligibility, err, step.want)
		}
	}
	if text := b.get(path).text; !strings.Contains(text, "cordoned") {
		t.Error("got no reason, want why the node gets no jobs")
	}
	if p := b.post("/ui/cluster", "/ui/cluster/unknown/demote", url.Values{}); p.StatusCode != http.StatusSeeOther {
		t.Errorf("got %d, want the page with the reason", p.StatusCode)
	}
	if text := b.get("/ui/cluster").text; !strings.Contains(text, `class="toast bad"`) {
		t.Error("got no refusal, want one")
	}
}

// A key is shown once; queries show rows.
func TestConsole_KeysAndQuery(t *testing.T) {
	b := signedIn(t)
	p := b.post("/ui/keys", "/ui/keys", url.Values{"name": {"ci"}, "scope": {"submit"}, "days": {"2"}})
	secret := regexp.MustCompile(`id="created-key">([^<]+)<`).FindStringSubmatch(p.text)
	if secret == nil || strings.Contains(b.get("/ui/keys").text, secret[1]) {
		t.Fatalf("got %v, want the key shown once", secret)
	}
	id, _, _ := strings.Cut(secret[1], ".")
	b.post("/ui/keys", "/ui/keys/"+id+"/revoke", url.Values{})
	if visitor(t, b.master).signIn(secret[1]).StatusCode != http.StatusUnauthorized {
		t.Error("got a session with a revoked key, want none")
	}
	p = b.post("/ui/query", "/ui/query", url.Values{"sql": {"SELECT 'a' AS name, 1000000 AS n UNION SELECT 'b', 2"}})
	if !strings.Contains(p.text, "1000000") || !strings.Contains(p.text, `id="chart"`) {
		t.Errorf("got %d %s, want rows and a chart", p.StatusCode, p.text)
	}
	if p = b.post("/ui/query", "/ui/query", url.Values{"sql": {"DELETE FROM jobs"}}); p.StatusCode != 422 {
		t.Errorf("got %d, want a refusal", p.StatusCode)
	}
}

const nodeID = "00000000-0000-4000-8000-00000000000a"
