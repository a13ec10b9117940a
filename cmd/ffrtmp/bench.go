package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

func (c *command) bench() *cobra.Command {
	var b benchmark
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure throughput, latency and failover time of a running cluster",
		Long: `Measure a running cluster with durable writes.

  ffrtmp bench                 submit with 1, 16, 64 and 256 clients
  ffrtmp bench --mode cycle    submit, claim and complete, on nodes of its own
  ffrtmp bench --failover      submit every 10 ms; kill the leader meanwhile to see the
                               longest time without an acknowledged write

Its jobs require a label that no real node has, so they never run. They are canceled
at the end.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := b.validate(cmd); err != nil {
				return err
			}
			b.label = uuid.NewString()
			if b.failover {
				return c.benchFailover(cmd.Context(), b)
			}
			return c.benchLoad(cmd.Context(), b)
		},
	}
	b.mode = modeSubmit
	cli.EnumVar(cmd, &b.mode, "mode", "what each client repeats", []benchMode{modeSubmit, modeCycle})
	set := cmd.Flags()
	set.IntSliceVar(&b.clients, "clients", []int{1, 16, 64, 256}, "number of clients of each run")
	set.DurationVar(&b.duration, "duration", 5*time.Second, "duration of each run (with --failover: default 30s)")
	set.BoolVar(&b.failover, "failover", false, "measure the longest gap between acknowledged writes")
	set.DurationVar(&b.interval, "interval", 10*time.Millisecond, "time between two writes of --failover")
	return cmd
}

type benchMode string

const (
	modeSubmit benchMode = "submit"
	modeCycle  benchMode = "cycle"
)

// benchmark is the flags of bench.
type benchmark struct {
	mode     benchMode
	clients  []int
	duration time.Duration
	failover bool
	interval time.Duration

	label string // value of benchLabel on everything that this run makes
}

const (
	benchLabel = "ffrtmp-bench"
	maxClients = 4096
	// connections bounds the connections of a run: clients share them, as behind a proxy.
	connections = 16
)

func (b *benchmark) validate(cmd *cobra.Command) error {
	if b.failover && !cmd.Flags().Changed("duration") {
		b.duration = 30 * time.Second
	}
	switch {
	case b.duration <= 0:
		return flags.Usagef("--duration: must be more than 0, such as 5s")
	case b.interval < time.Millisecond:
		return flags.Usagef("--interval: must be at least 1ms")
	case len(b.clients) == 0 || slices.Min(b.clients) < 1 || slices.Max(b.clients) > maxClients:
		return flags.Usagef("--clients: must be numbers between 1 and %d", maxClients)
	}
	return nil
}

// spec is a job that only this run's own nodes could run.
func (b *benchmark) spec() ffrtmp.Spec {
	label := map[string]string{benchLabel: b.label}
	return ffrtmp.Spec{
		Scenario: "360p30-h264", Queue: ffrtmp.Batch, Labels: label,
		Requires: &ffrtmp.Requires{Labels: label},
	}
}

// run is the result with one number of clients.
type run struct {
	Clients    int     `json:"clients"`
	Operations int     `json:"operations"`
	Errors     int     `json:"errors"`
	Seconds    float64 `json:"seconds"`
	PerSecond  float64 `json:"per_second"`
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
}

func (c *command) benchLoad(ctx context.Context, b benchmark) (err error) {
	pool, err := c.pool(min(connections, slices.Max(b.clients)))
	if err != nil {
		return err
	}
	defer pool.close()
	defer func() { err = errors.Join(err, b.cleanUp(ctx, pool[0])) }()
	runs := []run{}
	t := cli.NewTable("CLIENTS<", "OPERATIONS<", "PER SECOND<", "P50 MS<", "P99 MS<", "ERRORS<")
	for _, n := range b.clients {
		r, err := b.measure(ctx, pool, n)
		if err != nil {
			return fmt.Errorf("bench with %s: %w", cli.Count(n, "client"), err)
		}
		runs = append(runs, r)
		t.Add(r.Clients, r.Operations, fmt.Sprintf("%.0f", r.PerSecond), fmt.Sprintf("%.2f", r.P50),
			fmt.Sprintf("%.2f", r.P99), r.Errors)
		fmt.Fprintf(c.err, "%s %s: %.0f/s\n", cli.Count(n, "client"), b.mode, r.PerSecond)
	}
	return c.print(map[string]any{"mode": b.mode, "runs": runs}, t)
}

// clients shares a few connections.
type clients []*client.Client

func (c *command) pool(n int) (clients, error) {
	var pool clients
	for range n {
		cl, err := c.connect()
		if err != nil {
			pool.close()
			return nil, err
		}
		pool = append(pool, cl)
	}
	return pool, nil
}

func (p clients) close() {
	for _, cl := range p {
		cl.Close()
	}
}

// measure lets n clients repeat the operation for the duration. A permanent error ends it.
func (b *benchmark) measure(ctx context.Context, pool clients, n int) (run, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	nodes := make([]benchNode, n)
	for i := range nodes {
		nodes[i] = benchNode{client: pool[i%len(pool)], benchmark: b}
		if b.mode == modeCycle {
			if err := nodes[i].register(ctx); err != nil {
				return run{}, err
			}
			defer nodes[i].leave(ctx)
		}
	}
	start := time.Now()
	end := start.Add(b.duration)
	var wait sync.WaitGroup
	for i := range nodes {
		wait.Go(func() {
			if err := nodes[i].work(ctx, end); err != nil {
				stop(err)
			}
		})
	}
	wait.Wait()
	if ctx.Err() != nil {
		return run{}, context.Cause(ctx)
	}
	r := run{Clients: n, Seconds: time.Since(start).Seconds()}
	var took []time.Duration
	for _, w := range nodes {
		took = append(took, w.took...)
		r.Errors += w.errors
	}
	slices.Sort(took)
	r.Operations = len(took)
	r.PerSecond = float64(len(took)) / r.Seconds
	r.P50, r.P99 = quantile(took, 0.5), quantile(took, 0.99)
	return r, nil
}

// quantile of sorted times, in milliseconds; 0 of none.
func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(q*float64(len(sorted)-1))].Seconds() * 1000
}

// cleanUp cancels what the run has left in the queue, also after Ctrl-C.
func (b *benchmark) cleanUp(ctx context.Context, cl *client.Client) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	filter := ffrtmp.Filter{Status: ffrtmp.StatusIn(ffrtmp.Pending), Label: benchLabel + "=" + b.label}
	if _, err := cl.CancelMany(ctx, filter); err != nil {
		return fmt.Errorf("cancel the bench's jobs (ffrtmp jobs cancel --label %s): %w", filter.Label, err)
	}
	return nil
}
