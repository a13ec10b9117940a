package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// cluster is what `ffrtmp dev` prints.
type cluster struct {
	Masters []string `json:"masters"`
	CA      string   `json:"ca"`
	KeyFile string   `json:"api_key_file"`

	leader  string
	key     string
	clients []*http.Client
}

// startFfrtmp runs a build of this project. It returns one system for single jobs, and
// one for batches if they are to be measured.
func startFfrtmp(ctx context.Context, s settings, name, bin, dir string) ([]*system, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(bin, "ffrtmp"), "dev", "--masters", strconv.Itoa(members), "--agents", "0",
		"--dir", dir, "--output", "json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	tie(cmd, syscall.SIGTERM) // it then ends its masters
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	single := &system{name: name, values: 1, stop: func() error { return interrupt(cmd) }}
	var c cluster
	if err := firstDocument(out, &c); err != nil {
		return []*system{single}, err
	}
	if err := c.connect(ctx, s); err != nil {
		return []*system{single}, err
	}
	if single.pids, err = childrenOf(cmd.Process.Pid, "master"); err != nil {
		return []*system{single}, err
	}
	single.writer = c.writer("/jobs", job(s.size))
	if s.batch == 0 {
		return []*system{single}, nil
	}
	jobs := bytes.Join(slicesOf(job(s.size), s.batch), []byte(","))
	batch := &system{
		name: fmt.Sprintf("%s, %d jobs a request", name, s.batch), pids: single.pids, values: s.batch,
		stop:   func() error { return nil },
		writer: c.writer("/jobs/batch", fmt.Appendf(nil, `{"jobs":[%s]}`, jobs)),
	}
	return []*system{single, batch}, nil
}

func slicesOf(b []byte, n int) [][]byte {
	list := make([][]byte, n)
	for i := range list {
		list[i] = b
	}
	return list
}

// job is a body of this size. No node has its label, so it never runs.
func job(size int) []byte {
	const form = `{"scenario":"720p30-h264","queue":"batch","labels":{"bench":"peers"},` +
		`"requires":{"labels":{"bench":"peers"}},"parameters":{"duration":10,"input":"%s"}}`
	return fmt.Appendf(nil, form, strings.Repeat("x", max(1, size-len(form)+2)))
}

func (c *cluster) connect(ctx context.Context, s settings) error {
	key, err := os.ReadFile(c.KeyFile)
	if err != nil {
		return err
	}
	c.key = strings.TrimSpace(string(key))
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return errors.New("the CA's file has no certificate")
	}
	for range connections {
		transport := &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: !s.http1, MaxIdleConnsPerHost: 64,
		}
		if s.http1 {
			transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		}
		c.clients = append(c.clients, &http.Client{Transport: transport})
	}
	return until(ctx, c.findLeader)
}

// findLeader finds the leader's address: writes through a follower would cost a hop.
func (c *cluster) findLeader(ctx context.Context) error {
	var state struct {
		Members []struct {
			URL   string `json:"api_url"`
			State string `json:"state"`
		} `json:"members"`
	}
	body, err := c.do(ctx, 0, http.MethodGet, c.Masters[0]+"/cluster", nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, &state); err != nil {
		return err
	}
	for _, m := range state.Members {
		if m.State == "leader" {
			c.leader = m.URL
			return nil
		}
	}
	return errors.New("no leader")
}

func (c *cluster) writer(path string, body []byte) func(i int) write {
	return func(i int) write {
		return func(ctx context.Context) error {
			_, err := c.do(ctx, i%connections, http.MethodPost, c.leader+path, body)
			return err
		}
	}
}

func (c *cluster) do(ctx context.Context, connection int, method, url string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.key)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", rand.Text())
	}
	resp, err := c.clients[connection].Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return answer, err
}
