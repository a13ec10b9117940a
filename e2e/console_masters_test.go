package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"

	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// On a master that is cut off, the page says how old its state is and offers no changes; it can still be read.
func cutOff(v *visitor) {
	own := v.Master(v.follower())
	v.signIn(own, "/ui/jobs", v.APIKey())
	v.page.mayFail(true)
	for _, m := range v.Masters() {
		if m != own {
			m.Kill()
		}
	}
	v.page.until("the banner", visible("#cut-off")+" && "+contains("#cut-off", "nothing can be changed"))
	v.page.until("no changes", `[...document.querySelectorAll("main form[method=post]")].every(f => f.inert)`)
	v.page.until("the age", `/^[1-9][0-9]*s$|m/.test(`+textOf("#age")+`)`)
	id := evaluate[string](v.page, `document.querySelector("tr[data-job]").dataset.job`)
	for _, path := range []string{"/ui/jobs", "/ui/jobs/" + id, "/ui/", "/ui/nodes", "/ui/cluster", "/ui/keys"} {
		v.page.visit(own.URL() + path)
		const wrong = `!document.querySelector("h1") || !!document.querySelector("main form[method=post]")`
		if evaluate[bool](v.page, wrong) {
			v.t.Errorf("%s: got no page, or one with a form, want what this master knows, without forms", path)
		}
	}
	v.page.visit(own.URL() + "/ui/submit")
	v.page.until("no submission", `document.querySelector("#submit").disabled`)
	for _, m := range v.Masters() {
		if m != own {
			v.must(m.Start())
		}
	}
	v.page.until("no banner", "!("+visible("#cut-off")+")")
	v.page.visit(own.URL() + "/ui/jobs")
	v.page.until("changes", `document.querySelector("#bulk-cancel")`)
	for _, m := range v.Masters() {
		v.must(m.WaitReady(v.soon()))
	}
}

// The page of events names nodes, and keeps its filter in its address.
func activity(v *visitor) {
	v.signIn(v.Master(0), "/ui/activity?type=job.completed", v.APIKey())
	j := v.submit(pattern("360p", map[string]any{"output": "activity.mp4", "duration": 1}))
	v.finished(j.ID)
	const shown = `[...document.querySelectorAll("#activity tbody tr:not([hidden])")]`
	const finds = `%s.some(r => r.textContent.includes("#%d"))`
	v.page.until("the event of the job", fmt.Sprintf(finds, shown, j.SequenceNumber))
	if !evaluate[bool](v.page, shown+`.every(r => /job\.completed.*agent-/.test(r.textContent))`) {
		v.t.Error("got events of other kinds, or without the node's name, want neither")
	}
	v.page.fill("#activity-filter", fmt.Sprintf("#%d", j.SequenceNumber))
	v.page.until("the filter in the address", fmt.Sprintf(`location.search === "?type=job.completed&q=%%23%d"`,
		j.SequenceNumber))
	v.page.until("one event", shown+".length === 1")
}

// Behind a load balancer, the death of the page's master is not noticed either: another master has the session and
// continues the events.
func behindLoadBalancer(v *visitor) {
	own, other := v.Master(v.follower()), v.Master(v.leader())
	var target atomic.Pointer[devcluster.Master]
	target.Store(own)
	balancer := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		FlushInterval: -1,
		Transport:     &http.Transport{TLSClientConfig: v.ClientTLS()},
		Rewrite: func(r *httputil.ProxyRequest) {
			u, err := url.Parse(target.Load().URL())
			if err != nil {
				panic(err)
			}
			r.SetURL(u)
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	balancer.StartTLS()
	v.t.Cleanup(func() { v.must(balancer.Config.Close()) })
	v.page.allow(balancer.URL)
	v.page.visit(balancer.URL + "/ui/jobs")
	v.page.fill("#key", v.APIKey())
	v.page.click("#sign-in button")
	v.page.until("the jobs", `location.pathname === "/ui/jobs" && document.querySelector("#jobs")`)
	v.live()
	v.mark()
	v.page.mayFail(true)
	own.Kill()
	target.Store(other)
	j := v.submit(pattern("360p", map[string]any{"output": "balanced.mp4", "duration": 1}))
	v.page.until("the new job announced", contains("#new-jobs", "1 new job"))
	v.live()
	v.page.until("no banner", "!("+visible("#lost")+")")
	v.same()
	v.restart(own)
	v.finished(j.ID)
}
