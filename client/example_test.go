package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/google/uuid"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
)

func newClient() *client.Client {
	cfg, err := client.ConfigFromEnv()
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	return c
}

func ExampleNew() {
	tls, err := client.TrustCA("ca.crt")
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.New(client.Config{
		Masters: []string{"https://master-1.example.org:8080", "https://master-2.example.org:8080"},
		APIKey:  "the key that ffrtmp keys create has printed",
		TLS:     tls,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
}

// Submit a job once, however often the program is restarted.
func ExampleClient_Submit() {
	c := newClient()
	defer c.Close()

	job, err := c.Submit(context.Background(), ffrtmp.Spec{
		Scenario:   "1080p30-h264",
		Parameters: []byte(`{"input": "in.mov", "output": "out.mp4"}`),
		Labels:     map[string]string{"episode": "s01e01"},
	}, client.IdempotencyKey("s01e01"))

	var unknown *client.UnknownOutcomeError
	switch {
	case ffrtmp.CodeOf(err) == ffrtmp.Invalid:
		fmt.Println("wrong spec:", err)
	case errors.As(err, &unknown):
		fmt.Println("repeat with the key", unknown.Key, "to settle the outcome:", err)
	case err != nil:
		fmt.Println("not submitted:", err)
	default:
		fmt.Println("submitted job", job.SequenceNumber)
	}
}

// Watch a job until it ends.
func ExampleClient_Wait() {
	c := newClient()
	defer c.Close()

	job, err := c.Wait(context.Background(), "12", func(j ffrtmp.Job) {
		fmt.Printf("%s %d %%\n", j.Status, j.Progress)
	})
	switch {
	case err != nil:
		fmt.Println(err)
	case job.Status == ffrtmp.Completed:
		fmt.Println("wrote", job.Output.Path)
	default:
		fmt.Println(job.Status, job.Error)
	}
}

// Follow all events, and resume after a restart of the program.
func ExampleClient_Events() {
	c := newClient()
	defer c.Close()

	last := "" // the id that the program has stored
	for e, err := range c.Events(context.Background(), last, client.OfTypes(ffrtmp.JobCompleted, ffrtmp.JobFailed)) {
		if err != nil {
			fmt.Println(err) // ffrtmp.Compacted: the program was down for more than a day
			return
		}
		fmt.Println(e.Type, e.SequenceNumber, "; store", e.ID())
	}
}

// A worker of its own claims jobs, renews their leases and reports results. This one runs nothing.
func ExampleClient_Claim() {
	c := newClient()
	defer c.Close()
	ctx := context.Background()

	node := ffrtmp.Registration{
		NodeID: uuid.NewString(),
		Machine: ffrtmp.Machine{
			Name:              "worker-1",
			Address:           "worker-1",
			Type:              "server",
			CPUThreads:        8,
			MaxConcurrentJobs: 1,
			Encoders:          []string{"libx264"},
		},
	}
	registered, err := c.Register(ctx, node)
	if err != nil {
		fmt.Println(err)
		return
	}
	for {
		jobs, err := c.Claim(ctx, ffrtmp.ClaimRequest{
			NodeID: node.NodeID, Max: 1, Wait: ffrtmp.Duration(30 * time.Second),
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, job := range jobs {
			renewing, done := context.WithCancel(ctx)
			go renew(renewing, c, node.NodeID, job, registered.LeaseTTLSeconds)
			// Encode job.Parameters here.
			result := ffrtmp.Result{
				JobID: job.ID, NodeID: node.NodeID, Attempt: job.Attempt, Lease: job.Lease,
				Status: ffrtmp.ResultCompleted,
			}
			if _, err := c.Result(ctx, result, client.Persist()); ffrtmp.CodeOf(err) == ffrtmp.StaleAttempt {
				fmt.Println("job", job.SequenceNumber, "belongs to another node: discard the output")
			}
			done()
		}
	}
}

// renew renews the lease of an attempt three times per TTL, until ctx ends.
func renew(ctx context.Context, c *client.Client, node string, job ffrtmp.Job, ttlSeconds float64) {
	tick := time.NewTicker(time.Duration(ttlSeconds / 3 * float64(time.Second)))
	defer tick.Stop()
	for {
		report := ffrtmp.AttemptReport{JobID: job.ID, Attempt: job.Attempt, Lease: job.Lease, Progress: 50}
		answer, err := c.Heartbeat(ctx, node, ffrtmp.Heartbeat{Attempts: []ffrtmp.AttemptReport{report}})
		if err == nil {
			for _, command := range answer.Commands {
				fmt.Println(command.Command, "job", command.JobID) // cancel, pause, resume or stop
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
