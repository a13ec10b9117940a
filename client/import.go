package client

import (
	"context"
	"net/http"

	"github.com/ffrtmp/ffrtmp"
)

// Import takes jobs and nodes of another system, with the state that they had there,
// up to ffrtmp.MaxImport of them in ffrtmp.MaxImportBytes. Those that are known already are
// left alone, and those at fault refused one by one. With dryRun it only says what it
// would take.
func (c *Client) Import(ctx context.Context, batch ffrtmp.Import, dryRun bool, opts ...Option) (ffrtmp.ImportAnswer, error) {
	var answer ffrtmp.ImportAnswer
	call := write(http.MethodPost, "/import", batch, &answer, opts)
	if dryRun {
		call.query.Set("dry_run", "true")
	}
	err := c.do(ctx, call)
	return answer, err
}
