package client

import (
	"context"
	"net/http"

	"github.com/ffrtmp/ffrtmp"
)

// Import imports jobs and nodes from another system with their state, up to ffrtmp.MaxImport of them and
// ffrtmp.MaxImportBytes. Known ones are left alone and invalid ones are refused, each with its own result. With dryRun
// it changes nothing. It needs the scope admin.
func (c *Client) Import(ctx context.Context, batch ffrtmp.Import, dryRun bool,
	opts ...Option,
) (ffrtmp.ImportAnswer, error) {
	var answer ffrtmp.ImportAnswer
	call := write(http.MethodPost, "/import", batch, &answer, opts)
	if dryRun {
		call.query.Set("dry_run", "true")
	}
	err := c.do(ctx, call)
	return answer, err
}
