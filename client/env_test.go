package client_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ffrtmp/ffrtmp/client"
)

// The environment configures a client as it configures the command ffrtmp.
func TestConfigFromEnv(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, key string
		env       map[string]string
		fails     bool
	}{
		{"nothing", "", map[string]string{}, true},
		{"masters", "", map[string]string{"MASTER_URL": "https://a:1,https://b:1"}, false},
		{"key", "k", map[string]string{
			"MASTER_URL": "https://a:1,https://b:1", "MASTER_API_KEY": "k",
			"FFRTMP_API_KEY_FILE": key,
		}, false},
		{
			"key file", "from-file",
			map[string]string{"MASTER_URL": "https://a:1,https://b:1", "FFRTMP_API_KEY_FILE": key},
			false,
		},
		{"missing CA", "", map[string]string{"MASTER_URL": "https://a:1", "FFRTMP_CA": key + ".none"}, true},
		{"CA without a certificate", "", map[string]string{"MASTER_URL": "https://a:1", "FFRTMP_CA": key}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, name := range []string{
				"MASTER_URL", "FFRTMP_MASTER", "MASTER_API_KEY", "FFRTMP_API_KEY",
				"FFRTMP_API_KEY_FILE", "FFRTMP_CA",
			} {
				t.Setenv(name, tt.env[name])
			}
			cfg, err := client.ConfigFromEnv()
			if (err != nil) != tt.fails {
				t.Fatalf("got error %v, want one: %v", err, tt.fails)
			}
			masters := []string{"https://a:1", "https://b:1"}
			if err == nil && (cfg.APIKey != tt.key || !slices.Equal(cfg.Masters, masters)) {
				t.Errorf("got key %q, masters %q, want key %q", cfg.APIKey, cfg.Masters, tt.key)
			}
		})
	}
}
