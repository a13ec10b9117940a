package client

import (
	"context"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
)

// Wait polls a job, named by id or sequence number, until it has completed, failed or been canceled, and returns it. It
// calls progress, which may be nil, after every poll: every 100 ms at first, every second later. It survives any loss
// of masters; only the context or a refusal (such as ffrtmp.NotFound) ends it early. That a job failed is not an error.
func (c *Client) Wait(ctx context.Context, id string, progress func(ffrtmp.Job), opts ...Option) (ffrtmp.Job, error) {
	const first, last = 100 * time.Millisecond, time.Second
	opts = append([]Option{Persist()}, opts...)
	for pause := first; ; pause = min(last, pause*3/2) {
		j, err := c.Job(ctx, id, opts...)
		if err != nil {
			return j, err
		}
		if progress != nil {
			progress(j)
		}
		if j.Status.Terminal() {
			return j, nil
		}
		if err := ctxtime.Sleep(ctx, pause); err != nil {
			return j, err
		}
	}
}
