package client

import (
	"context"
	"net/http"

	"ffrtmp/job"
)

// Import takes jobs and nodes of another system, with the state that they had there,
// up to job.MaxImport of them in job.MaxImportBytes. Those that are known already are
// left alone, and those at fault refused one by one. With dryRun it only says what it
// would take.
func (c *Client) Import(ctx context.Context, batch job.Import, dryRun bool, opts ...Option) (job.ImportAnswer, error) {
	var answer job.ImportAnswer
	call := write(http.MethodPost, "/import", batch, &answer, opts)
	if dryRun {
		call.query.Set("dry_run", "true")
	}
	err := c.do(ctx, call)
	return answer, err
}
