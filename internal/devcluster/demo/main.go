// Command demo demonstrates a failover and fails unless every step succeeds: it starts
// three masters and two agents, submits a real encode through a follower, kills the leader
// with SIGKILL half-way, verifies the one result, and restarts the killed master until it
// has caught up. `make demo` runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// timeout bounds the whole demonstration.
const timeout = 10 * time.Minute

func main() {
	bin := flag.String("bin", "bin", "directory of the master and agent programs")
	input := flag.String("input", "", "media file to encode (default: a test clip)")
	keep := flag.Bool("keep", false, "keep the cluster running until Ctrl-C")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, *bin, *input, *keep)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "\ndemo FAILED: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin, input string, keep bool) (err error) {
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c, err := devcluster.New(devcluster.Options{Masters: 3, Agents: 2, BinDir: bin})
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := c.Close(); err == nil {
			err = closeErr
		}
	}()
	d := &demo{cluster: c, started: time.Now()}
	if err := d.prepare(bounded, input); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{d.start, d.submit, d.encode, d.verify, d.restart} {
		if err := step(bounded); err != nil {
			return fmt.Errorf("%w\nlast log lines:\n%s", err, lastLines(c))
		}
	}
	d.summarize()
	if keep {
		d.keep(ctx)
	}
	return nil
}

// start starts the cluster and connects to it.
func (d *demo) start(ctx context.Context) error {
	d.say("starting 3 masters (mutual TLS, encrypted gossip) and 2 agents")
	began := time.Now()
	if err := d.cluster.Start(ctx); err != nil {
		return err
	}
	var err error
	if d.leader, err = d.cluster.Leader(ctx); err != nil {
		return err
	}
	d.follower = (d.leader + 1) % 3
	d.say("cluster ready after %s, leader: %s", round(time.Since(began)), d.name(d.leader))
	d.client, err = client.New(
		client.Config{Masters: d.cluster.URLs(), APIKey: d.cluster.APIKey(), TLS: d.cluster.ClientTLS()},
	)
	return err
}

// keep prints how to use the cluster and waits for Ctrl-C.
func (d *demo) keep(ctx context.Context) {
	fmt.Printf(`
The cluster keeps running until Ctrl-C. In another terminal:

  export MASTER_URL=%s
  export FFRTMP_CA=%s
  export FFRTMP_API_KEY_FILE=%s
  bin/ffrtmp cluster status
  bin/ffrtmp jobs submit --scenario 720p30-h264 --duration 60 --watch

Media root: %s
Logs:       %s
`, join(d.cluster.URLs()), d.cluster.CAFile(), d.cluster.APIKeyFile(), d.cluster.MediaRoot(),
		filepath.Join(d.cluster.Dir(), "logs"))
	<-ctx.Done()
}
