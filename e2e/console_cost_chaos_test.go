//go:build chaos

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// How many browsers are open at the leader, for how long their cost is measured, and how much of a core it may be.
const (
	openBrowsers    = 200
	browsersMeasure = 40 * time.Second
	browsersShare   = 0.05
)

// Two hundred browsers that are open at the leader cost it less than a twentieth of a core: half of them show the
// overview, the others the jobs, a job or the nodes, while four jobs are encoded.
func TestChaos_OpenBrowsers(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3, Agents: 2, AgentArgs: func(int) []string {
		return []string{"--max-concurrent-jobs", "2"}
	}})
	film := newPacedSource(t, slow)
	id := ""
	for i := range 4 {
		id = s.submit(film.encode(fmt.Sprintf("open-%d.mp4", i), map[string]any{"hang_timeout_sec": 3600})).ID
		s.encoding(id, 1)
	}
	leader := s.Master(s.leader())
	without := s.coreShare(leader)
	ctx, closeAll := context.WithCancel(t.Context())
	var browsers errgroup.Group
	pages := []string{"/ui/", "/ui/jobs", "/ui/", "/ui/jobs/" + id, "/ui/", "/ui/nodes"}
	jar, err := cookiejar.New(nil)
	s.must(err)
	for i := range openBrowsers {
		transport := &http.Transport{TLSClientConfig: s.ClientTLS(), ForceAttemptHTTP2: true}
		client := &http.Client{Jar: jar, Transport: transport}
		b := &openBrowser{master: leader.URL(), page: pages[i%len(pages)], client: client}
		if i == 0 { // one address may sign in a few times only: all browsers have one session
			s.must(b.signIn(ctx, s.APIKey()))
		}
		browsers.Go(func() error { return b.run(ctx) })
	}
	with := s.coreShare(leader)
	closeAll()
	s.must(browsers.Wait())
	share := with - without
	t.Logf("of a core: %.3f without browsers, %.3f with %d", without, with, openBrowsers)
	if share > browsersShare {
		t.Errorf("got %.3f of a core for %d browsers, want at most %.2f", share, openBrowsers, browsersShare)
	}
}

// coreShare is how much of a core a master takes.
func (s *site) coreShare(m *devcluster.Master) float64 {
	s.t.Helper()
	start, before := time.Now(), s.cpuTime(m.PID())
	time.Sleep(browsersMeasure)
	return (s.cpuTime(m.PID()) - before).Seconds() / time.Since(start).Seconds()
}

// cpuTime is the CPU time of a process so far.
func (s *site) cpuTime(pid int) time.Duration {
	s.t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	s.must(err)
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	var ticks time.Duration
	for _, field := range fields[11:13] { // in user and in system mode
		n, err := strconv.ParseInt(field, 10, 64)
		s.must(err)
		ticks += time.Duration(n)
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100
	return ticks * tick
}

// openBrowser asks for what a page of the console asks for, as app.js does.
type openBrowser struct {
	master, page string
	client       *http.Client
}

func (b *openBrowser) signIn(ctx context.Context, key string) error {
	form := url.Values{"key": {key}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.master+"/ui/login", strings.NewReader(form))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := b.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err = io.Copy(io.Discard, answer.Body); err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("sign in: %s", answer.Status)
	}
	return err
}

// run keeps the page open: its events, whether the master is there, and its live section every two seconds, as if
// there were always something new.
func (b *openBrowser) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return b.get(ctx, "/ui/events?progress=true", "text/event-stream") })
	for path, interval := range map[string]time.Duration{
		"/health": 1200 * time.Millisecond, b.page: 2 * time.Second, "/ui/masters": 30 * time.Second,
	} {
		group.Go(func() error {
			every := time.NewTicker(interval)
			defer every.Stop()
			for {
				select {
				case <-every.C:
				case <-ctx.Done():
					return nil
				}
				if err := b.get(ctx, path, "text/html"); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// get loads a part of the page, or its events until ctx is done.
func (b *openBrowser) get(ctx context.Context, path, accept string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.master+path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", accept)
	r.Header.Set("HX-Request", "true")
	answer, err := b.client.Do(r)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	switch {
	case ctx.Err() != nil:
		return nil
	case err == nil && answer.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %s", path, answer.Status)
	}
	return err
}
