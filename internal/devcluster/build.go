package devcluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// Build builds the programs into dir for tests of this module, without cgo as make build does.
func Build(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", dir+"/", "github.com/ffrtmp/ffrtmp/cmd/...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build programs: %w\n%s", err, out)
	}
	return nil
}
