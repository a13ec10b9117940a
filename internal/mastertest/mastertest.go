// Package mastertest starts real masters in the process of a test: state in memory, free ports of the loopback address,
// no TLS and no API key. Proxy stands before them and injects faults.
package mastertest

import (
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
	"github.com/ffrtmp/ffrtmp/master"
)

// Master is a master that runs until its test ends.
type Master struct {
	*master.Master
	Client *client.Client
}

// Config is the configuration of Start.
func Config(t testing.TB) master.Config {
	c := master.Default()
	c.Bind, c.Port, c.Metrics, c.TLS, c.DB = "127.0.0.1", 0, false, false, ""
	c.Logger = hclog.New(&hclog.LoggerOptions{Name: "master", Level: hclog.Warn, Output: t.Output()})
	return c
}

// Start runs a master in a cluster of its own and waits until it leads. change may be nil.
func Start(t testing.TB, change func(*master.Config)) *Master {
	t.Helper()
	config := Config(t)
	if change != nil {
		change(&config)
	}
	m, err := master.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Run(t, m.Run)
	c, err := client.New(client.Config{Masters: []string{m.URL()}, APIKey: config.APIKey, Patience: testkit.Patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	testkit.Eventually(t, "the master leads", func() bool {
		_, err := c.Jobs(t.Context(), client.ListOptions{}, client.Consistent())
		return err == nil
	})
	return &Master{Master: m, Client: c}
}
