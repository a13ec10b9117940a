// Package version says what was built. The Makefile sets Version and Commit.
package version

import (
	"fmt"
	"runtime"
)

// Set by the linker.
var (
	Version = "dev"
	Commit  = "unknown"
)

// Line is what a program prints for --version.
func Line(program string) string {
	return fmt.Sprintf("%s %s (commit %s, %s)", program, Version, Commit, runtime.Version())
}
