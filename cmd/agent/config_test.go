package main

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/flags"
	"github.com/ffrtmp/ffrtmp/internal/flags/flagstest"
)

// Flags that are not set have the documented defaults.
func TestParse_Defaults(t *testing.T) {
	c, err := parse(nil, flagstest.Environment(nil))
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.masters, []string{"https://localhost:8080"}) || c.name != host || c.stateDir != "agent-state" ||
		!slices.Equal(c.mediaRoots, []string{dir}) || c.ffmpeg != "ffmpeg" || c.maxConcurrentJobs != 1 ||
		c.metricsPort != 9091 {
		t.Errorf("got %+v, want the documented defaults", c)
	}
	if c.pollInterval != 10*time.Second || c.heartbeatInterval != 30*time.Second || c.drainTimeout != 30*time.Second {
		t.Errorf("got poll %v, heartbeat %v, drain %v, want 10s, 30s, 30s", c.pollInterval, c.heartbeatInterval,
			c.drainTimeout)
	}
	if !c.register || c.insecureSkipVerify {
		t.Errorf("got %+v, want register and verified certificates", c)
	}
}

// A flag beats the environment.
func TestParse_Sources(t *testing.T) {
	tests := []struct {
		name, args string
		env        map[string]string
		holds      func(*config) bool
	}{
		{
			name: "masters by comma and repeated", args: "--master=https://a:1,https://b:1 --master https://c:1",
			holds: func(c *config) bool {
				return slices.Equal(c.masters, []string{"https://a:1", "https://b:1", "https://c:1"})
			},
		},
		{
			name: "masters by environment", env: map[string]string{"FFRTMP_MASTER": "https://a:1,https://b:1"},
			holds: func(c *config) bool {
				return slices.Equal(c.masters, []string{"https://a:1", "https://b:1"})
			},
		},
		{
			name: "masters as the CLI reads them", env: map[string]string{"MASTER_URL": "https://a:1,https://b:1"},
			holds: func(c *config) bool {
				return slices.Equal(c.masters, []string{"https://a:1", "https://b:1"})
			},
		},
		{
			name: "a flag beats both", args: "--master=https://f:1",
			env: map[string]string{"MASTER_URL": "https://e:1", "FFRTMP_MASTER": "https://e:1"},
			holds: func(c *config) bool {
				return slices.Equal(c.masters, []string{"https://f:1"})
			},
		},
		{name: "labels", args: "--label zone=a --label disk=fast", holds: func(c *config) bool {
			return maps.Equal(c.labels, map[string]string{"zone": "a", "disk": "fast"})
		}},
		{name: "media roots", args: "--media-root /a --media-root=/b", holds: func(c *config) bool {
			return slices.Equal(c.mediaRoots, []string{"/a", "/b"})
		}},
		{name: "drain not at all", args: "--drain-timeout 0", holds: func(c *config) bool {
			return c.drainTimeout == 0
		}},
		{name: "no metrics", args: "--metrics-port=0", holds: func(c *config) bool { return c.metricsPort == 0 }},
		{name: "dashes to underscores", env: map[string]string{
			"FFRTMP_MAX_CONCURRENT_JOBS": "4",
			"FFRTMP_STATE_DIR":           "/s",
		}, holds: func(c *config) bool {
			return c.maxConcurrentJobs == 4 && c.stateDir == "/s"
		}},
		{
			name: "a flag beats the environment", args: "--max-concurrent-jobs=2",
			env: map[string]string{"FFRTMP_MAX_CONCURRENT_JOBS": "4"}, holds: func(c *config) bool {
				return c.maxConcurrentJobs == 2
			},
		},
		{name: "v2.2's flag", args: "--register", holds: func(c *config) bool { return c.register }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := parse(strings.Fields(tt.args), flagstest.Environment(tt.env))
			if err != nil {
				t.Fatal(err)
			}
			if !tt.holds(c) {
				t.Errorf("got %+v, want the value of %s", c, tt.name)
			}
		})
	}
}

// An error is one line that names the flag.
func TestParse_Refused(t *testing.T) {
	flagstest.Refuses(t, [][2]string{
		{"--master=master-1:8080", "--master"},
		{"--master=ftp://master-1", "--master"},
		{"--master=https://a:1,", "--master"},
		{"--master=", "--master"},
		{"--media-root=", "--media-root"},
		{"--media-root=/srv/media,", "--media-root"},
		{"--register=false", "--register"},
		{"--cert=c", "--key"},
		{"--key=k", "--cert"},
		{"--poll-interval=1ms", "--poll-interval"},
		{"--heartbeat-interval=0", "--heartbeat-interval"},
		{"--max-concurrent-jobs=0", "--max-concurrent-jobs"},
		{"--max-concurrent-jobs=1025", "--max-concurrent-jobs"},
		{"--metrics-port=65536", "--metrics-port"},
		{"--metrics-port=-1", "--metrics-port"},
		{"--drain-timeout=-1s", "--drain-timeout"},
		{"--drain-timeout=soon", "--drain-timeout"},
		{"--state-dir=", "--state-dir"},
		{"--label=zone", "--label"},
		{"--log-level=loud", "--log-level"},
		{"--log-format=xml", "--log-format"},
		{"--no-such-flag", "--no-such-flag"},
		{"leftover", "leftover"},
		{"--insecure-skip-verify false", "false"},
	}, func(args []string) error {
		_, err := parse(args, flagstest.Environment(nil))
		return err
	})
	t.Run("environment", func(t *testing.T) {
		_, err := parse(nil, flagstest.Environment(map[string]string{"FFRTMP_DRAIN_TIMEOUT": "soon"}))
		if !errors.Is(err, flags.ErrUsage) || !strings.Contains(err.Error(), "FFRTMP_DRAIN_TIMEOUT") {
			t.Fatalf("got %v, want a usage error that names FFRTMP_DRAIN_TIMEOUT", err)
		}
	})
}

func readKey(args []string, lookup func(string) (string, bool)) (string, error) {
	c, err := parse(args, lookup)
	if err != nil {
		return "", err
	}
	return c.key()
}

// The API key comes from a flag, a file or the environment.
func TestKey_Sources(t *testing.T) { flagstest.KeySources(t, readKey) }

// Only masters without TLS work without a key.
func TestKey_Unset(t *testing.T) {
	for args, refused := range map[string]bool{
		"":                                true,
		"--master=http://a:1,https://b:1": true,
		"--master=http://a:1,http://b:1":  false,
	} {
		t.Run(args, func(t *testing.T) {
			key, err := readKey(strings.Fields(args), flagstest.Environment(nil))
			if key != "" || (err != nil) != refused || refused && !strings.Contains(err.Error(), "MASTER_API_KEY") {
				t.Fatalf("got key %q, error %v, want refused %t", key, err, refused)
			}
		})
	}
}

// Of a file with several keys an agent uses the first.
func TestParse_FirstKeyOfFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("new\nold\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := parse([]string{"--api-key-file", file}, flagstest.Environment(nil))
	if err != nil {
		t.Fatal(err)
	}
	if key, set, err := c.apiKey(); key != "new" || !set || err != nil {
		t.Errorf("got %q, %v, %v, want the first line", key, set, err)
	}
}
