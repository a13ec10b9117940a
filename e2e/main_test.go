package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// shared is created once for all tests.
var shared struct {
	bin   string // the programs
	film  string // see source
	trial string // the first agent's encoder trials
}

func TestMain(m *testing.M) {
	status, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func run(m *testing.M) (status int, err error) {
	dir, err := os.MkdirTemp("", "ffrtmp-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	shared.bin, shared.film, shared.trial = filepath.Join(
		dir,
		"bin",
	), filepath.Join(
		dir,
		"film.mkv",
	), filepath.Join(
		dir,
		"encoders.json",
	)
	if err := devcluster.Build(context.Background(), shared.bin); err != nil {
		return 1, err
	}
	if err := makeFilm(shared.film); err != nil {
		return 1, err
	}
	return m.Run(), nil
}
