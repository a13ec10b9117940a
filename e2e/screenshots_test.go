//go:build screenshots

package e2e

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// view is a page at one size, light or dark.
type view struct {
	name, path, scheme string
	width              int
	height             int // 0: the whole page
}

// Pictures of every page, light and dark and at three widths, are written to the directory FFRTMP_SCREENSHOTS.
func TestScreenshots(t *testing.T) {
	needScripts(t)
	s := start(t, devcluster.Options{Masters: 3, Agents: 2, AgentArgs: func(i int) []string {
		return []string{"--max-concurrent-jobs", "2", "--label", fmt.Sprintf("rack=r%d", i+1)}
	}})
	v := (&visitor{site: s, browser: startChromium(t)}).in(t)
	film := newPacedSource(t, 2*pieceLength)
	work := v.work(film)
	nodes, err := v.client.Nodes(v.soon())
	v.must(err)
	v.page.visit(v.Master(0).URL() + "/ui/login")
	v.shoot(view{name: "login", path: "/ui/login", scheme: "light", width: 1280})
	v.signIn(v.Master(0), "/ui/", v.APIKey())
	v.shoot(view{"readme-overview", "/ui/", "light", 1280, 900})
	v.shoot(view{"readme-job", "/ui/jobs/" + work["running"], "light", 1280, 900})
	v.shoot(view{"readme-jobs", "/ui/jobs", "dark", 1280, 640})
	pages := []struct{ name, path string }{
		{"overview", "/ui/"},
		{"jobs", "/ui/jobs"},
		{"jobs-filtered", "/ui/jobs?status=failed&queue=live"},
		{"job-running", "/ui/jobs/" + work["running"]},
		{"job-done", "/ui/jobs/" + work["done"]},
		{"job-failed", "/ui/jobs/" + work["failed"]},
		{"job-waits", "/ui/jobs/" + work["waits"]},
		{"submit", "/ui/submit"},
		{"submit-filled", filled},
		{"jobs-hostile", "/ui/jobs?status=pending"},
		{"job-hostile", "/ui/jobs/" + work["hostile"]},
		{"not-found", "/ui/jobs/none"},
		{"nodes", "/ui/nodes"},
		{"node", "/ui/nodes/" + nodes[0].ID},
		{"cluster", "/ui/cluster"},
		{"keys", "/ui/keys"},
		{"audit", "/ui/audit"},
		{"activity", "/ui/activity"},
		{"query", "/ui/query"},
	}
	v.page.mayFail(true)
	for _, p := range pages {
		v.shootAll(p.name, p.path)
	}
	v.asked()
	v.cutOffPictures()
}

// filled is the form of a new job, filled in.
const filled = "/ui/submit?scenario=1080p30-h265&input=in/film.mov&output=out/film.mp4&preset=fast&crf=23"

// shootAll takes pictures of a page at three widths, light and dark.
func (v *visitor) shootAll(name, path string) {
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int{1280, 768, 375} {
			picture := fmt.Sprintf("%s-%s-%d", name, scheme, width)
			v.shoot(view{name: picture, path: path, scheme: scheme, width: width})
		}
	}
}

// asked takes pictures of what a click shows: a bulk question, the result of a query, and a page that a key may not
// see.
func (v *visitor) asked() {
	v.visitAt("/ui/jobs?status=completed", 1280)
	v.page.click("#bulk-high")
	v.page.until("the question", contains("h1", "priority"))
	v.take("bulk", false)
	v.visitAt("/ui/query", 1280)
	v.page.click(`[data-sql*="GROUP BY status"]`)
	v.page.click("#run")
	v.page.until("the chart", `document.querySelector("#chart canvas")`)
	v.take("query-result", false)
	v.visitAt("/ui/nodes", 375)
	v.page.click(`[id^="drain-"]`)
	v.page.until("the dialog", visible("#ask"))
	v.take("drain-asks", false)
	reader := v.in(v.t)
	reader.signIn(v.Master(0), "/ui/", v.key(ffrtmp.ScopeRead).Secret)
	reader.page.mayFail(true)
	reader.visitAt("/ui/keys", 768)
	reader.take("forbidden", false)
}

// cutOffPictures takes pictures of a master without a majority, and of a page without its master.
func (v *visitor) cutOffPictures() {
	own := v.Master(0)
	for _, m := range v.Masters() {
		if m != own {
			m.Kill()
		}
	}
	v.visitAt("/ui/jobs", 1280)
	v.page.until("the banner", visible("#cut-off"))
	v.take("cut-off-jobs", false)
	v.visitAt("/ui/", 768)
	v.page.until("the banner", visible("#cut-off"))
	v.take("cut-off-overview", true)
	own.Kill()
	v.page.until("the banner", visible("#lost"))
	v.take("lost", false)
}

// visitAt opens a page in a window of a width.
func (v *visitor) visitAt(path string, width int) {
	ctx, cancel := v.page.soon()
	defer cancel()
	v.must(chromedp.Do(ctx, chromedp.EmulateViewport(int64(width), 800)))
	v.page.visit(v.Master(0).URL() + path)
}

// work gives the cluster jobs in every state, and returns some of their ids.
func (v *visitor) work(film *source) map[string]string {
	endless := map[string]any{"hang_timeout_sec": 3600}
	labels := func(spec ffrtmp.Spec, title string) ffrtmp.Spec {
		spec.Labels = map[string]string{"customer": "acme", "title": title}
		return spec
	}
	scenarios := []string{"720p30-h264", "360p-h265", "480p-h264", "1080p30-h264", "360p-h264", "720p-h264"}
	for i, scenario := range scenarios {
		j := v.submit(labels(pattern(scenario, map[string]any{
			"output": fmt.Sprintf("trailer-%d.mkv", i), "duration": 2, "preset": "ultrafast",
		}), fmt.Sprintf("trailer-%d", i)))
		v.finished(j.ID)
	}
	ids := map[string]string{}
	intro := pattern("720p30-h264", map[string]any{"output": "intro.mp4", "duration": 20})
	ids["done"] = v.submit(labels(intro, "intro")).ID
	v.finished(ids["done"])
	none := 0
	failing := pattern("1080p30-h264", map[string]any{"input": "incoming/episode-7.mov", "output": "episode-7.mp4"})
	failing.MaxRetries = &none
	ids["failed"] = v.submit(labels(failing, "episode-7")).ID
	v.finished(ids["failed"])
	for i, name := range []string{"running", "running-2", "running-3"} {
		ids[name] = v.submit(labels(film.encode(fmt.Sprintf("live-%d.mp4", i), endless), "channel-"+fmt.Sprint(i+1))).ID
		v.encoding(ids[name], 1)
	}
	waiting := labels(pattern("4K30-h265", map[string]any{"output": "feature.mp4"}), "feature")
	waiting.Requires = &ffrtmp.Requires{Labels: map[string]string{"rack": "r9"}}
	ids["waits"] = v.submit(waiting).ID
	hostile := strings.Repeat(`<script>alert("x")</script>`, 9)
	waiting.Scenario, waiting.Labels = "360p-h264", map[string]string{"title": hostile}
	waiting.Parameters = object(map[string]any{"input": "in/" + hostile, "output": "out/" + hostile + ".mp4"})
	ids["hostile"] = v.submit(waiting).ID
	return ids
}

// shoot writes one picture.
func (v *visitor) shoot(w view) {
	v.page.colorScheme(w.scheme)
	ctx, cancel := v.page.soon()
	defer cancel()
	v.must(chromedp.Do(ctx, chromedp.EmulateViewport(int64(w.width), int64(cmp.Or(w.height, 800)))))
	v.page.visit(v.Master(0).URL() + w.path)
	v.page.until("the preview", `!document.querySelector("#preview .faint") || location.search === ""`)
	v.page.until("the page is loaded", `document.fonts.status === "loaded" && (!document.querySelector("#masters") || `+
		`document.querySelector("#masters .pill"))`)
	if w.path != "/ui/login" {
		v.live()
	}
	v.page.until("the chart of an encode", `!document.querySelector("h1 .status.running") || `+
		`document.querySelector("#live-chart canvas")`)
	v.fits(w.path)
	v.take(w.name, w.height == 0)
}

// take writes a picture of the window, or of the whole page.
func (v *visitor) take(name string, whole bool) {
	ctx, cancel := v.page.soon()
	defer cancel()
	take := chromedp.CaptureScreenshot()
	if whole {
		take = chromedp.FullScreenshot(100)
	}
	picture, err := chromedp.Run(ctx, take)
	v.must(err)
	v.must(os.WriteFile(filepath.Join(os.Getenv("FFRTMP_SCREENSHOTS"), name+".png"), picture, 0o600))
}
