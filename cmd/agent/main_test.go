package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/flags"
	"github.com/ffrtmp/ffrtmp/internal/flags/flagstest"
)

// Help and version succeed; a wrong command line ends with status 2 and one line.
func TestRun_ExitStatus(t *testing.T) {
	tests := []struct {
		args   string
		status int
		stdout string // a part of it
		stderr string // a part of its one line
	}{
		{args: "--version", status: 0, stdout: "agent "},
		{args: "--help", status: 0, stdout: "--drain-timeout"},
		{args: "leftover", status: 2, stderr: `"leftover"`},
		{args: "--max-concurrent-jobs=0", status: 2, stderr: "--max-concurrent-jobs"},
		{args: "--api-key-file=/nonexistent", status: 1, stderr: "--api-key-file"},
		{args: "--master=http://127.0.0.1:1 --media-root=/nonexistent", status: 1, stderr: "/nonexistent"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := run(context.Background(), flags.Process{
				Args: strings.Fields(tt.args), Lookup: flagstest.Environment(nil), Stdout: &stdout, Stderr: &stderr,
			})
			if status != tt.status || !strings.Contains(stdout.String(), tt.stdout) ||
				!strings.Contains(stderr.String(), tt.stderr) {
				t.Fatalf("got status %d, want %d\nstdout: %s\nstderr: %s", status, tt.status, &stdout, &stderr)
			}
			if tt.status != 0 && (stdout.Len() > 0 || strings.Count(stderr.String(), "\n") != 1) {
				t.Errorf("got stdout %q, stderr %q, want one line on stderr", &stdout, &stderr)
			}
			if tt.status == 0 && stderr.Len() > 0 {
				t.Errorf("got stderr %q, want none", &stderr)
			}
		})
	}
}
