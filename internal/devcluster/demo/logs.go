package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// lastLines returns the last lines of every log.
func lastLines(c *devcluster.Cluster) string {
	const lines = 8
	var b strings.Builder
	add := func(name, path string) {
		data, err := os.ReadFile(path)
		if err != nil {
			fmt.Fprintf(&b, "%s: %v\n", name, err)
			return
		}
		all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
		for _, line := range all[max(0, len(all)-lines):] {
			fmt.Fprintf(&b, "%s: %s\n", name, line)
		}
	}
	for _, m := range c.Masters() {
		add(m.Name(), m.LogPath())
	}
	for _, a := range c.Agents() {
		add(a.Name(), a.LogPath())
	}
	return b.String()
}

func round(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}

func join(urls []string) string { return strings.Join(urls, ",") }
