package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/flags"
)

func environment(pairs map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := pairs[name]
		return v, ok
	}
}

// Flags that may go together.
func TestParse_Accepts(t *testing.T) {
	for name, args := range map[string][]string{
		"none":        nil,
		"join only":   {"--join=a:1", "--ca=ca", "--gossip-key-file=k"},
		"three":       {"--bootstrap-expect=3", "--join=a:1,b:1", "--ca=ca", "--gossip-key-file=k"},
		"without TLS": {"--bootstrap-expect=3", "--peer-ca=ca", "--tls=false"},
		"in memory":   {"--db", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parse(args, environment(nil)); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestParse_Refuses(t *testing.T) {
	tests := []struct{ args, names string }{
		{"--port=0", "--port"},
		{"--bind=here", "--bind"},
		{"--node-id=7", "--node-id"},
		{"--advertise=https://m1", "--advertise"},
		{"--advertise=m1:8080", "--advertise"},
		{"--advertise=[fd00::1]", "--advertise"},
		{"--join=alone --ca=x --gossip-key-file=k", "--join"},
		{"--join=m1:99999 --ca=x --gossip-key-file=k", "--join"},
		{"--join=m1:gossip --ca=x --gossip-key-file=k", "--join"},
		{"--join=:7946 --ca=x --gossip-key-file=k", "--join"},
		{"--bootstrap-expect=0", "--bootstrap-expect"},
		{"--bootstrap-expect=3 --ca=x", "--gossip-key-file"},
		{"--bootstrap-expect=3 --gossip-key-file=k", "--ca"},
		{"--mtls", "--ca"},
		{"--mtls --ca=x --tls=false", "--tls=false"},
		{"--max-retries=-1", "--max-retries"},
		{"--lease-ttl=1ms", "--lease-ttl"},
		{"--retention=1ms", "--retention"},
		{"--retention=-1h", "--retention"},
		{"--retry-base=1m --retry-cap=1s", "--retry-base"},
		{"--disk-reserve=lots", "--disk-reserve"},
		{"--log-level=loud", "--log-level"},
		{"--log-format=xml", "--log-format"},
		{"--timing=slow", "--timing"},
		{"--cluster=a/b", "--cluster"},
		{"--cert-role=agent", "--generate-cert"},
		{"--generate-cert --cert-role=king", "--cert-role"},
		{"--generate-cert --cert-ips=x", "--cert-ips"},
		{"--generate-cert --ca-key=x", "--ca"},
		{"--generate-cert --ca=x", "--ca-key"},
		{"--db= --raft-dir=x", "--raft-dir"},
		{"--tls false", "false"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			_, err := parse(strings.Fields(tt.args), environment(nil))
			if !errors.Is(err, flags.ErrUsage) || !strings.Contains(err.Error(), tt.names) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("error %v, want one usage line that names %s", err, tt.names)
			}
		})
	}
}

func TestReadAPIKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, args string
		env        map[string]string
		want       string
		fails      bool
	}{
		{name: "unset", fails: true},
		{name: "flag first", args: "--api-key=f --api-key-file=" + file, env: map[string]string{"MASTER_API_KEY": "e"}, want: "f"},
		{name: "then the file", args: "--api-key-file=" + file, env: map[string]string{"MASTER_API_KEY": "e"}, want: "from-file"},
		{name: "then the environment", env: map[string]string{"MASTER_API_KEY": "e", "FFMPEG_RTMP_API_KEY": "o"}, want: "e"},
		{name: "the older name too", env: map[string]string{"FFMPEG_RTMP_API_KEY": "o"}, want: "o"},
		{name: "empty", env: map[string]string{"MASTER_API_KEY": ""}, want: ""},
		{name: "a missing file", args: "--api-key-file=/nonexistent", fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lookup := environment(tt.env)
			c, err := parse(strings.Fields(tt.args), lookup)
			if err != nil {
				t.Fatal(err)
			}
			key, err := c.ReadAPIKey()
			if (err != nil) != tt.fails || key != tt.want {
				t.Fatalf("key %q, error %v", key, err)
			}
		})
	}
}
