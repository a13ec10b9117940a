// Command demo records a program's output as an animated SVG, line by line at the
// pace of the run. `make demo-recording` makes the README's picture with it.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

func main() {
	out := flag.String("o", "docs/demo/demo.svg", "file to write")
	title := flag.String("title", "make demo", "command shown in the first line")
	flag.Parse()
	if err := record(context.Background(), *out, *title, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// record runs the command and writes what it printed.
func record(ctx context.Context, path, title string, command []string) error {
	if len(command) == 0 {
		return errors.New("usage: demo [-o FILE] [-title TEXT] COMMAND")
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines, err := capture(io.TeeReader(stdout, os.Stdout), time.Now)
	if err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(command, " "), err)
	}
	first := line{text: "$ " + title}
	return os.WriteFile(path, []byte(render(append([]line{first}, lines...))), 0o644)
}

// line is one line of output and when it appeared.
type line struct {
	at   time.Duration
	text string
}

// capture reads lines until the end of r.
func capture(r io.Reader, now func() time.Time) ([]line, error) {
	began := now()
	var lines []line
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		lines = append(lines, line{at: now().Sub(began), text: scanner.Text()})
	}
	return lines, scanner.Err()
}
