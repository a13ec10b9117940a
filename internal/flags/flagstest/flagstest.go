// Package flagstest holds the checks that the tests of every daemon's command line share.
package flagstest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/flags"
)

// Environment returns a lookup of these variables alone.
func Environment(pairs map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := pairs[name]
		return v, ok
	}
}

// Refuses checks that parse answers the command line of each test with one usage line that names the second string.
func Refuses(t *testing.T, tests [][2]string, parse func(args []string) error) {
	t.Helper()
	for _, tt := range tests {
		args, names := tt[0], tt[1]
		t.Run(args, func(t *testing.T) {
			err := parse(strings.Fields(args))
			if !errors.Is(err, flags.ErrUsage) || !strings.Contains(err.Error(), names) ||
				strings.Contains(err.Error(), "\n") {
				t.Fatalf("got error %v, want one usage line that names %s", err, names)
			}
		})
	}
}

// Warns checks that warn logs one line for each of these flags of v2.2, in order, and nothing else.
func Warns(t *testing.T, flags string, warn func(log *bytes.Buffer)) {
	t.Helper()
	var log bytes.Buffer
	warn(&log)
	var got []string
	for line := range strings.Lines(log.String()) {
		_, rest, _ := strings.Cut(line, "flag of v2.2 has no effect: flag=")
		flag, instead, _ := strings.Cut(rest, " instead=")
		got = append(got, flag)
		if strings.TrimSpace(instead) == "" || strings.Contains(line, "secret") {
			t.Errorf("got line %q, want what replaces the flag, without its value", line)
		}
	}
	if strings.Join(got, " ") != flags {
		t.Errorf("got warnings for %q, want %q", got, flags)
	}
}

// KeySources checks the order in which read takes the API key from its sources.
func KeySources(t *testing.T, read func(args []string, lookup func(string) (string, bool)) (string, error)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, args string
		env        map[string]string
		want       string
	}{
		{"flag first", "--api-key=f --api-key-file=" + file, map[string]string{"MASTER_API_KEY": "e"}, "f"},
		{"the flag's own variable", "", map[string]string{"FFRTMP_API_KEY": "v", "MASTER_API_KEY": "e"}, "v"},
		{"then the file", "--api-key-file=" + file, map[string]string{"MASTER_API_KEY": "e"}, "from-file"},
		{"then the environment", "", map[string]string{"MASTER_API_KEY": "e", "FFMPEG_RTMP_API_KEY": "o"}, "e"},
		{"the older name too", "", map[string]string{"FFMPEG_RTMP_API_KEY": "o"}, "o"},
		{"empty", "", map[string]string{"MASTER_API_KEY": ""}, ""},
		{"an empty flag leaves it to the environment", "--api-key=", map[string]string{"MASTER_API_KEY": "e"}, "e"},
		{"an empty flag alone", "--api-key=", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key, err := read(strings.Fields(tt.args), Environment(tt.env))
			if err != nil || key != tt.want {
				t.Fatalf("got key %q, error %v, want %q", key, err, tt.want)
			}
		})
	}
	t.Run("a missing file", func(t *testing.T) {
		_, err := read([]string{"--api-key-file=/nonexistent"}, Environment(nil))
		if err == nil || !strings.Contains(err.Error(), "--api-key-file") {
			t.Fatalf("got error %v, want one that names --api-key-file", err)
		}
	})
}
