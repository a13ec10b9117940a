package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/version"
)

// debugRows is how many jobs and audit records a debug archive has.
const debugRows = 200

func (c *command) debug() *cobra.Command {
	return c.reading.register(&cobra.Command{
		Use:   "debug [FILE]",
		Short: "Collect what a bug report needs in one archive, without secrets",
		Long: `Collect in one archive what a bug report needs: versions, every master's view of the
cluster and its health, settings, nodes, the newest jobs and the newest audit records. What
cannot be had is listed in it with the reason.

  ffrtmp debug                     writes ffrtmp-debug-TIME.tar.gz
  ffrtmp debug report.tar.gz

The archive has no keys, no parameters of jobs and no logs; of URLs only scheme and host
remain. Names of nodes and masters, labels and addresses stay: look before you publish it.`,
		Args: atMost("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "ffrtmp-debug-" + time.Now().UTC().Format("20060102T150405Z") + ".tar.gz"
			if len(args) > 0 {
				path = args[0]
			}
			return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
				return c.collectDebug(ctx, cl, path)
			})
		},
	})
}

// collected is a debug archive in memory, which is small.
type collected struct {
	redact  func([]byte) []byte
	names   []string
	files   map[string][]byte
	missing map[string]string // what could not be had, and why
}

// add adds what get returns as a document, or notes why there is none.
func (d *collected) add(name string, get func() (any, error)) {
	document, err := get()
	var text bytes.Buffer
	if err == nil {
		encoder := json.NewEncoder(&text)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false) // an escape in a URL would hide the rest of it
		err = encoder.Encode(document)
	}
	if err != nil {
		d.missing[name] = string(d.redact([]byte(err.Error())))
		return
	}
	d.names = append(d.names, name)
	d.files[name] = d.redact(text.Bytes())
}

func (c *command) collectDebug(ctx context.Context, cl *client.Client, path string) error {
	d := &collected{redact: c.redact, files: map[string][]byte{}, missing: map[string]string{}}
	opts := c.reading.options()
	d.add("version.json", func() (any, error) {
		return map[string]string{
			"version": version.Version, "commit": version.Commit, "go": runtime.Version(), "os": runtime.GOOS,
			"arch": runtime.GOARCH, "time": time.Now().UTC().Format(time.RFC3339),
		}, nil
	})
	surveying, cancel := context.WithTimeout(ctx, c.surveyTime)
	defer cancel()
	r, err := c.survey(surveying, cl)
	if err != nil {
		return fmt.Errorf("collect debug archive: %w", err)
	}
	d.add("cluster.json", func() (any, error) { return r, nil })
	d.add("health.json", func() (any, error) { return c.healths(ctx, cl, r), nil })
	d.add("autopilot.json", func() (any, error) { return cl.Autopilot(ctx, opts...) })
	d.add("nodes.json", func() (any, error) { return cl.Nodes(ctx, opts...) })
	d.add("jobs.json", func() (any, error) { return debugJobs(ctx, cl, opts) })
	d.add("audit.json", func() (any, error) { return cl.Audit(ctx, ffrtmp.AuditPage{Limit: debugRows}, opts...) })
	d.add("missing.json", func() (any, error) { return d.missing, nil })
	size, err := d.write(path)
	if err != nil {
		return fmt.Errorf("collect debug archive: %w", err)
	}
	report := map[string]any{"file": path, "bytes": size, "files": d.names, "missing": d.missing}
	return c.print(report, cli.Line(fmt.Sprintf("Wrote %s (%s). Look into it before you publish it.", path,
		cli.Size(size))))
}

// healths asks every master for its health.
func (c *command) healths(ctx context.Context, cl *client.Client, r clusterReport) map[string]any {
	all := map[string]any{}
	for _, v := range r.Views {
		asking, cancel := context.WithTimeout(ctx, c.surveyTime)
		h, err := cl.Health(asking, v.URL)
		cancel()
		if all[v.URL] = h; err != nil {
			all[v.URL] = err.Error()
		}
	}
	return all
}

// debugJobs returns the newest jobs without what users have put into them.
func debugJobs(ctx context.Context, cl *client.Client, opts []client.Option) (any, error) {
	list, err := cl.Jobs(ctx, client.ListOptions{Limit: debugRows, Order: ffrtmp.Descending}, opts...)
	for i := range list.Jobs {
		list.Jobs[i].Parameters, list.Jobs[i].Logs = nil, ""
	}
	return list, err
}

// secretURL finds URLs; what follows the host, and who logs in there, may be a secret.
var secretURL = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://)(?:[^\s"'<>/@]*@)?([^\s"'<>/@?\\]*)[^\s"'<>\\]*`)

// redact removes the key and the secret parts of URLs.
func (c *command) redact(data []byte) []byte {
	data = secretURL.ReplaceAll(data, []byte("$1$2"))
	if c.settings.APIKey != "" {
		data = []byte(strings.ReplaceAll(string(data), c.settings.APIKey, "REDACTED"))
	}
	return data
}

// write writes the archive, mode 0600, all of it or nothing.
func (d *collected) write(path string) (size int64, err error) {
	var archive bytes.Buffer
	zip := gzip.NewWriter(&archive)
	tape := tar.NewWriter(zip)
	for _, name := range d.names {
		head := &tar.Header{
			Name: "ffrtmp-debug/" + name, Mode: 0o600, Size: int64(len(d.files[name])), ModTime: time.Now(),
		}
		if err := tape.WriteHeader(head); err != nil {
			return 0, err
		}
		if _, err := io.Copy(tape, bytes.NewReader(d.files[name])); err != nil {
			return 0, err
		}
	}
	if err := errors.Join(tape.Close(), zip.Close()); err != nil {
		return 0, err
	}
	return int64(archive.Len()), renameio.WriteFile(path, archive.Bytes(), 0o600)
}
