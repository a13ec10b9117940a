package devcluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

const (
	pollInterval = 50 * time.Millisecond
	pollTimeout  = 2 * time.Second // of one question: a frozen process accepts connections and says nothing
)

// ask reports whether a GET of url is answered by status 200.
func ask(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return nil
}

// waitOK asks until the answer is 200, the process has ended, or the context is done.
func (p *Process) waitOK(ctx context.Context, client *http.Client, url func() string) error {
	r := p.current()
	if r == nil {
		return fmt.Errorf("wait for %s: it has never run", p.name)
	}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := ask(ctx, client, url())
		if err == nil {
			return nil
		}
		select {
		case <-r.done:
			return fmt.Errorf("%s ended (%w); the end of its log:\n%s", p.name, r.outcome(), p.logTail(r))
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w; the last answer: %w", p.name, ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// outcome is how the run ended, in any case an error.
func (r *run) outcome() error {
	if r.err == nil {
		return errors.New("exit status 0")
	}
	return r.err
}

// logTail is the last lines that the process printed in a run that has ended.
func (p *Process) logTail(r *run) string {
	select {
	case <-r.drained:
	case <-time.After(time.Second):
	}
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
