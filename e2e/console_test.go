package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// visitor is somebody with a browser in front of a cluster.
type visitor struct {
	*site
	page    *tab
	browser context.Context
}

// visitor opens a tab of its own for a subtest.
func (v *visitor) in(t *testing.T) *visitor {
	t.Helper()
	s := *v.site
	s.t = t
	return &visitor{&s, openTab(t, v.browser, s.URLs()), v.browser}
}

// slow makes the film last five minutes.
const slow = 5 * pieceLength

// signIn signs in at a master with a key, on the way to a page.
func (v *visitor) signIn(m *devcluster.Master, path, key string) {
	v.t.Helper()
	v.page.visit(m.URL() + path)
	v.page.fill("#key", key)
	v.page.click("#sign-in button")
	v.page.until("the page "+path, fmt.Sprintf(`location.pathname + location.search === %q`, path))
	v.live()
}

// live waits until the page gets events.
func (v *visitor) live() {
	v.t.Helper()
	v.page.until("events", textOf("#live")+` === "live"`)
}

// key makes a key with one scope.
func (v *visitor) key(scope ffrtmp.Scope) ffrtmp.CreatedKey {
	v.t.Helper()
	k, err := v.client.CreateKey(v.soon(), ffrtmp.NewKey{Name: string(scope), Scopes: []ffrtmp.Scope{scope}})
	v.must(err)
	return k
}

// An operator works with the console in a real browser, on three masters and two agents that encode: no message on the
// browser's console, no request to another host.
func TestConsole(t *testing.T) {
	needScripts(t)
	s := start(t, devcluster.Options{Masters: 3, Agents: 2})
	all := &visitor{site: s, browser: startChromium(t)}
	expires := all.in(t).shortSession()
	for _, test := range []struct {
		name string
		run  func(*visitor)
	}{
		{"sign in and encode", encodesInBrowser},
		{"scopes", scopes},
		{"hostile job", hostileJob},
		{"bulk cancel", bulkCancel},
		{"drain", drains},
		{"accessible", accessible},
		{"leader dies", leaderDies},
		{"own master dies", ownMasterDies},
		{"behind a load balancer", behindLoadBalancer},
		{"cut off", cutOff},
		{"activity", activity},
		{"session revoked", sessionRevoked},
		{"session expired", expires},
	} {
		if !t.Run(test.name, func(t *testing.T) { test.run(all.in(t)) }) {
			return
		}
	}
}

// A wrong key is refused; with the right one a job is submitted, its bar and log move without a reload, and its cancel
// ends it.
func encodesInBrowser(v *visitor) {
	film := newPacedSource(v.t, slow)
	m := v.Master(v.follower())
	v.page.visit(m.URL() + "/ui/submit")
	v.page.mayFail(true) // a refused key is a 401
	v.page.fill("#key", "wrong")
	v.page.click("#sign-in button")
	v.page.until("the refusal", contains("#sign-in .error", "not valid"))
	v.page.mayFail(false)
	v.signIn(m, "/ui/submit", v.APIKey())

	v.page.fill("#f-scenario", "360p-h264")
	v.page.fill("#f-input", film.url)
	v.page.fill("#f-output", "console.mp4")
	v.page.fill("#f-preset", "ultrafast")
	v.page.click("#submit")
	v.page.until("the job runs", contains("h1 .status", "running"))
	v.page.until("the bar", `document.querySelector(".bar progress").value > 0`)
	v.mark()
	v.moves(".bar progress")
	v.page.until("figures", contains(".bar .rate", "fps"))
	v.page.until("the log", contains("#log-text", "ffmpeg"))
	v.page.fill("#log-search", "FFMPEG")
	v.page.until("the search", textOf("#log-text mark")+` === "ffmpeg" && `+contains("#log-found", "line"))
	v.same()
	v.page.click("#do-cancel")
	v.page.click("#ask-yes")
	v.page.until("the job is canceled", contains("h1 .status", "canceled"))
	v.page.click(".user button")
	v.page.until("the sign-in page", `document.querySelector("#sign-in")`)
	v.page.visit(m.URL() + "/ui/jobs")
	v.page.until("the sign-in page again", `document.querySelector("#sign-in")`)
}

// mark marks the document, and same checks that the page has not been loaded again.
func (v *visitor) mark() { evaluate[bool](v.page, "window.sameDocument = true") }

func (v *visitor) same() {
	v.t.Helper()
	if !evaluate[bool](v.page, "!!window.sameDocument") {
		v.t.Error("got another document, want the same without a reload")
	}
}

// moves waits until a progress bar shows more than now.
func (v *visitor) moves(selector string) {
	v.t.Helper()
	element := fmt.Sprintf("document.querySelector(%q)", selector)
	before := evaluate[float64](v.page, element+".value")
	v.page.until("the bar moves", fmt.Sprintf("%s && %s.value > %v", element, element, before))
}

// What a key does not allow is not offered.
func scopes(v *visitor) {
	j := v.submit(pattern("360p", map[string]any{"output": "scopes.mp4", "duration": 1}))
	v.finished(j.ID)
	offers := []struct{ path, selector string }{
		{"/ui/jobs", `nav a[href="/ui/submit"]`},
		{"/ui/jobs", "#bulk-cancel"},
		{"/ui/jobs/" + j.ID, `a[href^="/ui/submit?clone="]`},
		{"/ui/nodes", `[id^="drain-"]`},
		{"/ui/cluster", `[id^="demote-"]`},
		{"/ui/jobs", `nav a[href="/ui/keys"]`},
	}
	for _, test := range []struct {
		scope ffrtmp.Scope
		want  int // of offers
	}{{ffrtmp.ScopeRead, 0}, {ffrtmp.ScopeSubmit, 3}, {ffrtmp.ScopeAdmin, len(offers)}} {
		w := v.in(v.t)
		w.signIn(w.Master(0), "/ui/jobs", w.key(test.scope).Secret)
		for i, o := range offers {
			got := evaluate[bool](w.page, fmt.Sprintf(`fetch(%q).then(r => r.text()).then(text =>
				!!new DOMParser().parseFromString(text, "text/html").querySelector(%q))`, o.path, o.selector))
			if want := i < test.want; got != want {
				w.t.Errorf("scope %s, %s %s: got %t, want %t", test.scope, o.path, o.selector, got, want)
			}
		}
	}
}

// A job whose every field is a script is only ever text, and does not widen the page.
func hostileJob(v *visitor) {
	hostile := `<script>document.title="hit"</script><img src=x onerror=alert(1)>`
	long := strings.Repeat(hostile, 20)
	v.signIn(v.Master(0), "/ui/jobs", v.APIKey())
	j := v.submit(ffrtmp.Spec{
		Scenario: "360p-h264", Labels: map[string]string{"title": hostile},
		Parameters: object(map[string]any{"input": "in/" + long[:250], "output": "out/" + long[:250] + ".mp4"}),
	})
	v.page.until("the new job announced", contains("#new-jobs", "1 new job"))
	v.page.click("#new-jobs")
	v.page.until("the label as text", contains("#jobs", "onerror"))
	for _, path := range []string{"/ui/jobs", "/ui/jobs/" + j.ID, "/ui/jobs?q=" + "%3Cscript%3E", "/ui/"} {
		v.page.visit(v.Master(0).URL() + path)
		v.live()
		if evaluate[bool](v.page, `!!document.querySelector("main img, main script") || document.title === "hit"`) {
			v.t.Errorf("%s: got an element from a field, want text", path)
		}
		v.fits(path)
	}
	v.must(v.client.Cancel(v.soon(), j.ID))
}

// fits checks that the page is not wider than its window.
func (v *visitor) fits(path string) {
	v.t.Helper()
	const widths = "[document.documentElement.scrollWidth, innerWidth]"
	if w := evaluate[[]int](v.page, widths); w[0] > w[1] {
		v.t.Errorf("%s: got a page %d wide in a window of %d, want it to fit", path, w[0], w[1])
	}
}

// The leader's death is not noticed on another master's page: bars move on, no reload, no row lost or doubled.
func leaderDies(v *visitor) {
	film := newPacedSource(v.t, slow)
	first := v.submit(film.encode("leader-1.mp4", map[string]any{"hang_timeout_sec": 3600}))
	second := v.submit(film.encode("leader-2.mp4", map[string]any{"hang_timeout_sec": 3600}))
	v.encoding(first.ID, 1)
	v.encoding(second.ID, 1)
	leader := v.Master(v.leader())
	v.signIn(v.Master(v.follower()), "/ui/jobs", v.APIKey())
	v.mark()
	bar := fmt.Sprintf(`[data-bar=%q] progress`, first.ID)
	v.moves(bar)
	rows := v.rows()
	leader.Kill()
	v.moves(bar)
	v.moves(fmt.Sprintf(`[data-bar=%q] progress`, second.ID))
	third := v.submit(pattern("360p", map[string]any{"output": "leader-3.mp4", "duration": 1}))
	v.page.until("the new job announced", contains("#new-jobs", "1 new job"))
	v.same()
	if got := v.rows(); got != rows {
		v.t.Errorf("got rows %s, want %s", got, rows)
	}
	v.restart(leader)
	v.page.click("#new-jobs")
	v.page.until("the new row", fmt.Sprintf(
		`document.readyState === "complete" && document.getElementById("job-%s")`, third.ID,
	))
	if got, want := v.rows(), third.ID+" "+rows; got != want {
		v.t.Errorf("got rows %s, want %s", got, want)
	}
	v.cancel(first.ID, second.ID)
}

func (v *visitor) cancel(ids ...string) {
	v.t.Helper()
	for _, id := range ids {
		v.must(v.client.Cancel(v.soon(), id))
		v.finished(id)
	}
}

// rows returns the ids of the jobs in the table, as they stand there.
func (v *visitor) rows() string {
	v.t.Helper()
	return evaluate[string](v.page, `[...document.querySelectorAll("tr[data-job]")].map(r => r.dataset.job).join(" ")`)
}

// When the page's own master dies, the page says so, links itself on the others, and continues when it is back.
func ownMasterDies(v *visitor) {
	own := v.Master(v.follower())
	const path = "/ui/jobs?status=completed"
	v.signIn(own, path, v.APIKey())
	v.mark()
	v.page.mayFail(true)
	own.Kill()
	v.page.until("the banner", visible("#lost")+" && "+contains("#lost", "does not answer"))
	links := evaluate[[]string](v.page, `[...document.querySelectorAll("#elsewhere a:not([hidden])")].map(a => a.href)`)
	for _, m := range v.Masters() {
		if got, want := strings.Contains(strings.Join(links, " "), m.URL()+path), m != own; got != want {
			v.t.Errorf("got links %q, %s among them: %t, want %t", links, m.URL(), got, want)
		}
	}
	v.restart(own)
	v.page.until("no banner", "!("+visible("#lost")+")")
	v.live()
	v.page.mayFail(false)
	j := v.submit(pattern("360p", map[string]any{"output": "own.mp4", "duration": 1}))
	v.page.until("the new job announced", contains("#new-jobs", "new job"))
	v.same()
	v.finished(j.ID)
}

// Many jobs are canceled together: the console says how many, and asks.
func bulkCancel(v *visitor) {
	const jobs = 3
	for i := range jobs {
		v.submit(ffrtmp.Spec{
			Scenario: "360p", Labels: map[string]string{"batch": "bulk"}, Parameters: object(
				map[string]any{"output": fmt.Sprintf("bulk-%d.mp4", i)},
			), Requires: &ffrtmp.Requires{Labels: map[string]string{"rack": "none"}},
		})
	}
	v.signIn(v.Master(0), "/ui/jobs?label=batch%3Dbulk", v.APIKey())
	v.page.click("#bulk-high")
	v.page.until("the question", contains("h1", "Give 3 jobs high priority?"))
	v.page.click("#bulk-yes")
	v.page.until("the new priority", `document.querySelectorAll("tr .prio.high").length === 3`)
	v.page.click("#bulk-cancel")
	v.page.until("the question", contains("h1", "Cancel 3 jobs?"))
	v.page.click("#bulk-yes")
	v.page.until("all canceled", `document.querySelectorAll('tr[data-status="canceled"]').length === 3`)
	v.page.until("the notice", contains(".toast", "3 jobs"))
}

// A node is drained and takes jobs again.
func drains(v *visitor) {
	nodes, err := v.client.Nodes(v.soon())
	v.must(err)
	v.signIn(v.Master(0), "/ui/nodes", v.APIKey())
	v.page.click("#drain-" + nodes[0].ID)
	v.page.click("#ask-yes")
	v.page.until("it drains", fmt.Sprintf(`document.getElementById("uncordon-%s")`, nodes[0].ID))
	v.page.click("#uncordon-" + nodes[0].ID)
	v.page.until("it takes jobs", fmt.Sprintf(`document.getElementById("drain-%s")`, nodes[0].ID))
}

// axe-core finds no fault in any page, light or dark.
func accessible(v *visitor) {
	j := v.submit(pattern("360p", map[string]any{"output": "axe.mp4", "duration": 1}))
	failed := v.submit(pattern("360p", map[string]any{"input": "missing.mp4", "output": "axe-2.mp4"}))
	v.finished(j.ID)
	nodes, err := v.client.Nodes(v.soon())
	v.must(err)
	m := v.Master(0)
	v.page.visit(m.URL() + "/ui/login")
	v.page.accessible("/ui/login")
	v.signIn(m, "/ui/", v.APIKey())
	v.page.mayFail(true) // a page that does not exist is a 404
	for _, path := range []string{
		"/ui/", "/ui/jobs", "/ui/jobs/" + j.ID, "/ui/jobs/" + failed.ID, "/ui/submit", "/ui/nodes",
		"/ui/nodes/" + nodes[0].ID, "/ui/cluster", "/ui/keys", "/ui/audit", "/ui/activity", "/ui/query",
		"/ui/jobs/none",
	} {
		v.page.visit(m.URL() + path)
		v.page.colorScheme("light")
		v.page.accessible("light " + path)
		v.page.colorScheme("dark")
		v.page.accessible("dark "+path, "color-contrast")
	}
}
