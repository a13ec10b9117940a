package master_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/master"
)

// A program runs a master of its own: state in memory, a free port on the loopback address.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	config := master.Default()
	config.Bind, config.Port = "127.0.0.1", 0
	config.Metrics, config.TLS = false, false
	config.DB = ""
	config.APIKey = "secret"
	m, err := master.New(ctx, config)
	if err != nil {
		log.Fatal(err)
	}
	stopped := make(chan error)
	go func() { stopped <- m.Run(ctx) }()

	c, err := client.New(client.Config{Masters: []string{m.URL()}, APIKey: "secret"})
	if err != nil {
		log.Fatal(err)
	}
	job, err := c.Submit(ctx, ffrtmp.Spec{Scenario: "720p"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("job", job.SequenceNumber, "is", job.Status)

	stop()
	fmt.Println("stopped:", <-stopped)
	// Output:
	// job 1 is pending
	// stopped: <nil>
}
