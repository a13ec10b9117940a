package flags

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func TestBytes(t *testing.T) {
	for text, want := range map[string]Bytes{"512MiB": 512 << 20, "1 GiB": 1 << 30, "0": 0, "4096": 4096, "2MB": 2e6} {
		var b Bytes
		if err := b.Set(text); err != nil || b != want {
			t.Errorf("%q: %d, %v", text, b, err)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1 apple"} {
		var b Bytes
		if err := b.Set(text); err == nil {
			t.Errorf("%q: %d", text, b)
		}
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		name     string
		args     []string
		env      map[string]string
		port     int
		tls      bool
		ttl      time.Duration
		usage    string // expected message, "" for success
		wantHelp bool
	}{
		{name: "defaults", port: 8080, tls: true, ttl: time.Second},
		{name: "separate value", args: []string{"--port", "1"}, port: 1, tls: true, ttl: time.Second},
		{name: "joined value", args: []string{"--port=1", "--tls=false"}, port: 1, ttl: time.Second},
		{
			name: "environment",
			env:  map[string]string{"FFRTMP_LEASE_TTL": "9s"},
			port: 8080,
			tls:  true,
			ttl:  9 * time.Second,
		},
		{
			name: "flag beats environment",
			args: []string{"--port=1"},
			env:  map[string]string{"FFRTMP_PORT": "2"},
			port: 1,
			tls:  true,
			ttl:  time.Second,
		},
		{
			name:  "bad environment",
			env:   map[string]string{"FFRTMP_PORT": "x"},
			usage: `FFRTMP_PORT: invalid argument "x" for "--port" flag: strconv.ParseInt: parsing "x": invalid syntax`,
		},
		{name: "unknown flag", args: []string{"--prot=1"}, usage: "unknown flag --prot; did you mean --port?"},
		{name: "single dash", args: []string{"-port", "1", "-tls=false"}, port: 1, ttl: time.Second},
		{
			name:  "single dash, unknown",
			args:  []string{"-prot", "1"},
			usage: "unknown flag -prot: flags begin with two dashes; did you mean --port?",
		},
		{
			name: "single dash in a value",
			args: []string{"--port", "-tls"},
			usage: `invalid argument "-tls" for "--port" flag: ` +
				`strconv.ParseInt: parsing "-tls": invalid syntax (see --help)`,
		},
		{name: "nothing similar", args: []string{"--zzzzzz"}, usage: "unknown flag --zzzzzz (see --help)"},
		{
			name: "leftover argument",
			args: []string{"--tls", "false"},
			usage: `unexpected argument "false": use --name value or --name=value, ` +
				`for switches --name or --name=false (see --help)`,
		},
		{name: "help", args: []string{"--help"}, wantHelp: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
			fs.Usage = func() {}
			port := fs.Int("port", 8080, "")
			tls := fs.Bool("tls", true, "")
			ttl := fs.Duration("lease-ttl", time.Second, "")
			err := Parse(fs, tt.args, func(name string) (string, bool) {
				v, ok := tt.env[name]
				return v, ok
			})
			if tt.wantHelp {
				if !errors.Is(err, pflag.ErrHelp) {
					t.Fatalf("error %v, want help", err)
				}
				return
			}
			if tt.usage != "" {
				if !errors.Is(err, ErrUsage) || err.Error() != tt.usage {
					t.Fatalf("error %q, want %q", err, tt.usage)
				}
				return
			}
			if err != nil || *port != tt.port || *tls != tt.tls || *ttl != tt.ttl {
				t.Fatalf("got %d %v %v (%v), want %d %v %v", *port, *tls, *ttl, err, tt.port, tt.tls, tt.ttl)
			}
		})
	}
}

func TestParseDaemon(t *testing.T) {
	for args, want := range map[string]error{
		"--port=1": nil, "--version": ErrVersion, "--help": pflag.ErrHelp, "--prot=1": ErrUsage,
	} {
		t.Run(args, func(t *testing.T) {
			fs := NewSet("test")
			fs.Int("port", 8080, "port of the API")
			usage, err := ParseDaemon(fs, []string{args}, func(string) (string, bool) { return "", false })
			if !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
			for _, part := range []string{"Usage: test [flags]\n", "FFRTMP_<NAME>", "port of the API", "--version"} {
				if !strings.Contains(usage, part) {
					t.Errorf("got usage %q, want it to contain %q", usage, part)
				}
			}
		})
	}
}
