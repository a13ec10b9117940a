package devcluster

import (
	"context"
	"fmt"
	"os/exec"
)

// Build builds the programs into dir, for tests of this module. The flags are those of go build, such as -race.
func Build(ctx context.Context, dir string, flags ...string) error {
	args := append([]string{"build"}, flags...)
	args = append(args, "-o", dir+"/", "ffrtmp/cmd/...")
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
}
