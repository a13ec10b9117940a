// Command peers measures durable replicated writes of this project beside etcd and NATS
// JetStream: three processes each, on this machine, in turn.
//
// It is a module of its own, so that the peers are no dependencies of the product.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// settings are the flags.
type settings struct {
	clients  []int
	duration time.Duration
	warmUp   time.Duration
	runs     int
	size     int
	batch    int
	systems  []string
	http1    bool
	dir      string
	json     string
}

func main() {
	// The servers are this program again, so that each has a process of its own.
	if len(os.Args) > 2 && strings.HasPrefix(os.Args[1], "serve-") {
		exit(serve(os.Args[1], os.Args[2]))
	}
	runtime.LockOSThread() // see tie
	s, err := parse(os.Args[1:])
	if err != nil {
		exit(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(compare(ctx, s))
}

func exit(err error) {
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintf(os.Stderr, "peers: %v\n", err)
	os.Exit(1)
}

func parse(args []string) (s settings, err error) {
	set := flag.NewFlagSet("peers", flag.ContinueOnError)
	clients := set.String("clients", "1,64,256", "numbers of closed-loop writers")
	systems := set.String("systems", "etcd,jetstream,ffrtmp=bin",
		"what to measure; ffrtmp=DIR has the programs in DIR, NAME=DIR is another build of them")
	set.DurationVar(&s.duration, "duration", 4*time.Second, "duration of each measurement")
	set.DurationVar(&s.warmUp, "warm-up", time.Second, "writes before each measurement that do not count")
	set.IntVar(&s.runs, "runs", 3, "measurements of each system with each number of clients")
	set.IntVar(&s.size, "size", 600, "bytes of a value (ffrtmp: of a request's body)")
	set.IntVar(&s.batch, "batch", 0, "also measure ffrtmp with batches of this many jobs")
	set.BoolVar(&s.http1, "http1", false, "use HTTP/1.1 for ffrtmp, not HTTP/2")
	set.StringVar(&s.dir, "dir", "", "directory of the servers' data (default a temporary one)")
	set.StringVar(&s.json, "json", "", "also write the results to this file as JSON")
	if err := set.Parse(args); err != nil {
		return s, err
	}
	if set.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q", set.Arg(0))
	}
	for _, text := range strings.Split(*clients, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return s, fmt.Errorf("--clients: %q is not a positive number", text)
		}
		s.clients = append(s.clients, n)
	}
	s.systems = strings.Split(*systems, ",")
	return s, nil
}

// compare measures all systems in turn, and prints the results.
func compare(ctx context.Context, s settings) (err error) {
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "peers-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()
	}
	systems, stop, err := start(ctx, s)
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return err
	}
	results, err := measureAll(ctx, s, systems)
	if err != nil {
		return err
	}
	rows := summarize(results)
	printTable(os.Stdout, rows)
	if s.json == "" {
		return nil
	}
	document, err := json.MarshalIndent(map[string]any{"settings": s.document(), "rows": rows}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(s.json, append(document, '\n'), 0o600)
}

// document is what a reader of the results needs to know of the settings.
func (s settings) document() map[string]any {
	return map[string]any{
		"seconds": s.duration.Seconds(), "warm_up_seconds": s.warmUp.Seconds(), "runs": s.runs, "size": s.size,
		"http1": s.http1, "systems": s.systems,
	}
}
