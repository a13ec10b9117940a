package devcluster

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// makeDir creates the cluster's directory and returns its absolute path.
func makeDir(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "ffrtmp-dev-")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

// cleanEnvironment is the environment without variables that configure a master or an agent.
func cleanEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return strings.HasPrefix(name, "FFRTMP_") || name == "TMPDIR" ||
			name == "MASTER_API_KEY" || name == "FFMPEG_RTMP_API_KEY"
	})
}
