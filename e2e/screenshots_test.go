//go:build screenshots

package e2e

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
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
		{"overview", "/ui/"}, {"jobs", "/ui/jobs"}, {"jobs-filtered", "/ui/jobs?status=failed&queue=live"},
		{"job-running", "/ui/jobs/" + work["running"]}, {"job-done", "/ui/jobs/" + work["done"]},
		{"job-failed", "/ui/jobs/" + work["failed"]}, {"job-waits", "/ui/jobs/" + work["waits"]},
		{"submit", "/ui/submit"}, {"nodes", "/ui/nodes"}, {"node", "/ui/nodes/" + nodes[0].ID},
		{"cluster", "/ui/cluster"}, {"keys", "/ui/keys"}, {"audit", "/ui/audit"}, {"activity", "/ui/activity"},
		{"query", "/ui/query"},
	}
	v.page.mayFail(true)
	for _, p := range pages {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int{1280, 768, 375} {
				name := fmt.Sprintf("%s-%s-%d", p.name, scheme, width)
				v.shoot(view{name: name, path: p.path, scheme: scheme, width: width})
			}
		}
	}
}

// work gives the cluster jobs in every state, and returns some of their ids.
func (v *visitor) work(film *source) map[string]string {
	endless := map[string]any{"hang_timeout_sec": 3600}
	labels := func(spec ffrtmp.Spec, title string) ffrtmp.Spec {
		spec.Labels = map[string]string{"customer": "acme", "title": title}
		return spec
	}
	for i, scenario := range []string{"720p30-h264", "360p-h265", "480p-h264", "1080p30-h264", "360p-h264", "720p-h264"} {
		j := v.submit(labels(pattern(scenario, map[string]any{
			"output": fmt.Sprintf("trailer-%d.mkv", i), "duration": 2, "preset": "ultrafast",
		}), fmt.Sprintf("trailer-%d", i)))
		v.finished(j.ID)
	}
	ids := map[string]string{}
	ids["done"] = v.submit(labels(pattern("720p30-h264", map[string]any{"output": "intro.mp4", "duration": 20}), "intro")).ID
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
	return ids
}

// shoot writes one picture.
func (v *visitor) shoot(w view) {
	v.page.colorScheme(w.scheme)
	ctx, cancel := v.page.soon()
	defer cancel()
	v.must(chromedp.Do(ctx, chromedp.EmulateViewport(int64(w.width), int64(cmp.Or(w.height, 800)))))
	v.page.visit(v.Master(0).URL() + w.path)
	v.page.until("the page is loaded", `document.fonts.status === "loaded" && (!document.querySelector("#masters") || `+
		`document.querySelector("#masters .pill"))`)
	if w.path != "/ui/login" {
		v.live()
	}
	v.page.until("the chart of an encode", `!document.querySelector("h1 .status.running") || `+
		`document.querySelector("#live-chart canvas")`)
	v.fits(w.path)
	take := chromedp.FullScreenshot(100)
	if w.height > 0 {
		take = chromedp.CaptureScreenshot()
	}
	picture, err := chromedp.Run(ctx, take)
	v.must(err)
	v.must(os.WriteFile(filepath.Join(os.Getenv("FFRTMP_SCREENSHOTS"), w.name+".png"), picture, 0o600))
}
