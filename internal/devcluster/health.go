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
	pollTimeout  = 2 * time.Second // of one request: a frozen process accepts connections and does not respond
)

// ask sends a GET request and returns an error unless the status is 200.
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

// waitOK polls until the status is 200, the process has ended, or the context is done.
func (p *Process) waitOK(ctx context.Context, client *http.Client, url func() string) error {
	r := p.current()
	if r == nil {
		return fmt.Errorf("wait for %s: never started", p.name)
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
			return fmt.Errorf("%s ended (%w); end of its log:\n%s", p.name, r.outcome(), p.logTail(r))
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w; last response: %w", p.name, ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// outcome returns how the run ended, always as an error.
func (r *run) outcome() error {
	if r.err == nil {
		return errors.New("exit status 0")
	}
	return r.err
}

// logTail returns the last lines of output of an ended run.
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
