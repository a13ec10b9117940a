package client

import (
	"context"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
)

// Wait polls a job until it is over and returns it as it then is. Every time it
// has looked it calls progress, which may be nil. It outlives any loss of
// masters: only the context ends it early.
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
