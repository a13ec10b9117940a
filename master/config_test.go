package master

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestConfig_Complete(t *testing.T) {
	for name, tt := range map[string]struct {
		change    func(*Config)
		expect    int
		raftDir   string
		clustered bool
	}{
		"alone":     {change: func(*Config) {}, expect: 1, raftDir: "master.raft"},
		"in memory": {change: func(c *Config) { c.DB = "" }, expect: 1},
		"named":     {change: func(c *Config) { c.DB = "data/state.db" }, expect: 1, raftDir: "data/state.raft"},
		"join only": {change: func(c *Config) { c.Join = []string{"a:1"} }, raftDir: "master.raft", clustered: true},
		"three": {
			change: func(c *Config) { c.BootstrapExpect = 3 },
			expect: 3, raftDir: "master.raft", clustered: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := Default()
			tt.change(&c)
			c = c.complete()
			if c.BootstrapExpect != tt.expect || c.RaftDir != tt.raftDir || c.clustered() != tt.clustered {
				t.Errorf("got expect %d, raft dir %q, clustered %v; want %d, %q, %v",
					c.BootstrapExpect, c.RaftDir, c.clustered(), tt.expect, tt.raftDir, tt.clustered)
			}
		})
	}
}

// An error names the field.
func TestConfig_Validate(t *testing.T) {
	for field, change := range map[string]func(*Config){
		"Port":            func(c *Config) { c.Port = -1 },
		"Bind":            func(c *Config) { c.Bind = "here" },
		"Advertise":       func(c *Config) { c.Advertise = "https://m1" },
		"Join":            func(c *Config) { c.Join = []string{"alone"} },
		"NodeID":          func(c *Config) { c.NodeID = "7" },
		"Cluster":         func(c *Config) { c.Cluster = "" },
		"RaftDir":         func(c *Config) { c.DB, c.RaftDir = "", "x" },
		"BootstrapExpect": func(c *Config) { c.BootstrapExpect = -1 },
		"MaxRetries":      func(c *Config) { c.MaxRetries = 101 },
		"LeaseTTL":        func(c *Config) { c.LeaseTTL = 0 },
		"Retention":       func(c *Config) { c.Retention = time.Millisecond },
		"MediaRoots":      func(c *Config) { c.MediaRoots = []string{"/none"} },
		"BackupURL":       func(c *Config) { c.BackupURL = "ftp://x" },
		"BackupInterval":  func(c *Config) { c.BackupURL, c.BackupInterval = "x", 0 },
		"BackupKeep":      func(c *Config) { c.BackupURL, c.BackupKeep = "x", -1 },
		"StateCheck":      func(c *Config) { c.StateCheckInterval = 0 },
		"RetryBase":       func(c *Config) { c.RetryCap = time.Second },
		"MTLS":            func(c *Config) { c.MTLS = true },
		"GossipKeys":      func(c *Config) { c.BootstrapExpect = 3 },
		"TracingEndpoint": func(c *Config) { c.TracingEndpoint = "collector" },
	} {
		t.Run(field, func(t *testing.T) {
			c := Default()
			change(&c)
			err := c.Validate()
			var wrong *ConfigError
			if !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), field) {
				t.Errorf("got %v, want a ConfigError of %s", err, field)
			}
		})
	}
	if err := Default().Validate(); err != nil {
		t.Errorf("default: got %v, want none", err)
	}
}

func TestConfig_ReadAPIKey(t *testing.T) {
	c := Config{TLS: true}
	if _, err := c.readAPIKey(); err == nil {
		t.Error("got no error for an open API with TLS")
	}
	c = Config{TLS: true, APIKey: " \n\n"}
	if _, err := c.readAPIKey(); err == nil {
		t.Error("got no error for blank lines with TLS")
	}
	c = Config{APIKey: "first", ReadAPIKey: func() (string, error) { return "second", nil }}
	if key, err := c.readAPIKey(); key != "second" || err != nil {
		t.Errorf("got %q, %v, want the key that is read", key, err)
	}
}
