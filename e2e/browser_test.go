package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	devlog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// axeFile is axe-core as make console installs it.
const axeFile = "../.tools/console/node_modules/axe-core/axe.min.js"

// needScripts fails the test without the third-party scripts that the console and its tests load.
func needScripts(t *testing.T) {
	t.Helper()
	for _, file := range []string{axeFile, "../ui/third_party/htmx.min.js", "../ui/third_party/uPlot.iife.min.js"} {
		if _, err := os.Stat(file); err != nil {
			t.Fatalf("%v; run: make console", err)
		}
	}
}

// startChromium starts Debian's Chromium with an empty profile. The test's end stops it.
func startChromium(t *testing.T) context.Context {
	t.Helper()
	profile, err := os.MkdirTemp("", "ffrtmp-chromium-") //nolint:usetesting // Its end would fail the test: see below.
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("/usr/bin/chromium"),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.IgnoreCertErrors, chromedp.UserDataDir(profile),
		chromedp.WindowSize(1280, 900), chromedp.WSURLReadTimeout(testkit.Patience),
		chromedp.Flag("disable-component-update", true))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	browser, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(browser); err != nil {
			t.Logf("the browser did not close by itself: %v", err)
		}
		cancel()
		stop()
		_ = os.RemoveAll(profile) // a process of the browser may still write there
	})
	if err := chromedp.Do(browser); err != nil {
		t.Fatal(err)
	}
	return browser
}

// tab is a page in the browser, with cookies of its own.
type tab struct {
	t       *testing.T
	ctx     context.Context
	cancel  context.CancelFunc
	allowed []string // origins that it may send requests to

	mu       sync.Mutex
	down     bool // requests may fail
	problems []string
}

// openTab opens a page. The test's end closes it, and fails the test if the browser complained about the page.
func openTab(t *testing.T, browser context.Context, origins []string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	b := &tab{t: t, ctx: ctx, cancel: cancel, allowed: origins}
	t.Cleanup(b.close)
	b.must(chromedp.Listen(ctx, b.observe))
	return b
}

func (b *tab) close() {
	if b.t.Failed() {
		b.t.Logf("the page was %s", b.describe())
	}
	b.cancel()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.problems {
		b.t.Errorf("got %s, want none", p)
	}
}

func (b *tab) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// observe records what must not happen on a page.
func (b *tab) observe(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.problem(event); p != "" {
		b.problems = append(b.problems, p)
	}
}

// unsent is what htmx says of a request that the next page has ended; of others the browser's log tells, too.
var unsent = regexp.MustCompile(`"htmx:(afterRequest|sendAbort|sendError)"`)

func (b *tab) problem(event any) string {
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		text, err := json.Marshal(e.Args)
		complaint := e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning
		if complaint && !b.down && !unsent.Match(text) {
			return fmt.Sprintf("a message on the console: %s %v", text, err)
		}
	case *runtime.EventExceptionThrown:
		return "an exception: " + e.ExceptionDetails.Text
	case *devlog.EventEntryAdded:
		if e.Entry.Level == devlog.EntryLevelError && (!b.down || e.Entry.Source != devlog.EntrySourceNetwork) {
			return "a message in the log: " + e.Entry.Text + " " + e.Entry.URL
		}
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(e.Request.URL)
		if err != nil || u.Scheme == "https" && !slices.Contains(b.allowed, u.Scheme+"://"+u.Host) ||
			!slices.Contains([]string{"https", "data", "about", "blob"}, u.Scheme) {
			return "a request to another host: " + e.Request.URL
		}
	}
	return ""
}

// allow lets the page send requests to one more origin.
func (b *tab) allow(origin string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.allowed = append(b.allowed, origin)
}

// mayFail allows or forbids requests of the page to fail.
func (b *tab) mayFail(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
}

// soon bounds one action.
func (b *tab) soon() (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.ctx, testkit.Patience)
}

// evaluate returns the value of an expression, which may be a promise.
func evaluate[T any](b *tab, expression string) T {
	b.t.Helper()
	value, err := try[T](b, expression)
	b.must(err)
	return value
}

func try[T any](b *tab, expression string) (T, error) {
	ctx, cancel := b.soon()
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// visit opens an address and waits until its scripts have run.
func (b *tab) visit(address string) {
	b.t.Helper()
	ctx, cancel := b.soon()
	defer cancel()
	b.must(chromedp.Do(ctx, chromedp.Navigate(address)))
	b.until("the page "+address, `document.readyState === "complete"`)
}

// until waits until an expression is true on the page, whatever page that is by then.
func (b *tab) until(what, expression string) {
	b.t.Helper()
	testkit.Eventually(b.t, what, func() bool {
		is, err := try[bool](b, "!!("+expression+")")
		return err == nil && is
	})
}

// click clicks an element as soon as it is there.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.until("click "+selector, fmt.Sprintf("(e => e && (e.click(), true))(document.querySelector(%q))", selector))
}

// fill types into a field, like a keyboard.
func (b *tab) fill(selector, value string) {
	b.t.Helper()
	b.until("the field "+selector, fmt.Sprintf("(e => e && (e.focus(), e.select && e.select(), true))"+
		"(document.querySelector(%q))", selector))
	ctx, cancel := b.soon()
	defer cancel()
	b.must(chromedp.Do(ctx, chromedp.KeyEvent(value)))
}

// textOf is an expression for the text of an element, "" without it.
func textOf(selector string) string {
	return fmt.Sprintf("((document.querySelector(%q) || {}).textContent || '')", selector)
}

// contains is an expression for whether the text of an element contains a part.
func contains(selector, part string) string {
	return fmt.Sprintf("%s.includes(%q)", textOf(selector), part)
}

// visible is an expression for whether an element is shown.
func visible(selector string) string {
	return fmt.Sprintf("(e => e && e.checkVisibility())(document.querySelector(%q))", selector)
}

// colorScheme makes the pages light or dark.
func (b *tab) colorScheme(value string) {
	b.t.Helper()
	ctx, cancel := b.soon()
	defer cancel()
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: value}, {Name: "prefers-reduced-motion", Value: "reduce"},
		},
	})
	b.must(err)
}

// accessible reports what axe-core finds wrong with the page, with all its rules or only with some.
func (b *tab) accessible(what string, rules ...string) {
	b.t.Helper()
	axe, err := os.ReadFile(axeFile)
	b.must(err)
	options := map[string]any{}
	if len(rules) > 0 {
		options["runOnly"] = rules
	}
	check := fmt.Sprintf(`axe.run(%s).then(r => r.violations.map(v => v.id + ": " +
		v.nodes.map(n => n.html + " " + n.any.map(a => a.message).join("; ")).slice(0, 3).join(" | ")))`,
		object(options))
	_, err = try[int](b, string(axe)+";0")
	b.must(err)
	for _, fault := range evaluate[[]string](b, check) {
		b.t.Errorf("%s: got %s, want no fault", what, fault)
	}
}

// describe returns the address of the page and the begin of its text.
func (b *tab) describe() string {
	is, err := try[string](b, "location.href + '\\n' + document.body.innerText.slice(0, 2000)")
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(is)
}
