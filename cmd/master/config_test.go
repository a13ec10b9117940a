package main

import (
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/flags/flagstest"
)

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
			if _, err := parse(args, flagstest.Environment(nil)); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Values that cannot work are refused, and the message names the flag.
func TestParse_Refuses(t *testing.T) {
	flagstest.Refuses(t, [][2]string{
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
		{"--force", "--generate-cert"},
		{"--generate-cert --cert-role=king", "--cert-role"},
		{"--generate-cert --cert-ips=x", "--cert-ips"},
		{"--generate-cert --ca-key=x", "--ca"},
		{"--generate-cert --ca=x", "--ca-key"},
		{"--db= --raft-dir=x", "--raft-dir"},
		{"--tls false", "false"},
	}, func(args []string) error {
		_, err := parse(args, flagstest.Environment(nil))
		return err
	})
}

func readKey(args []string, lookup func(string) (string, bool)) (string, error) {
	c, err := parse(args, lookup)
	if err != nil {
		return "", err
	}
	return c.ReadAPIKey()
}

// The bootstrap key comes from a flag, a file or the environment.
func TestReadAPIKey_Sources(t *testing.T) { flagstest.KeySources(t, readKey) }

// Without a key, the message says how to make one.
func TestReadAPIKey_Unset(t *testing.T) {
	key, err := readKey(nil, flagstest.Environment(nil))
	if err == nil || !strings.Contains(err.Error(), "MASTER_API_KEY") {
		t.Fatalf("got key %q, error %v, want one that names MASTER_API_KEY", key, err)
	}
}
