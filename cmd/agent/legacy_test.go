package main

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/flags/flagstest"
)

// The flags of v2.2's agent do what they did; those that cannot are answered with one line of the log.
func TestParse_Legacy(t *testing.T) {
	for _, tt := range []struct {
		args   string
		labels map[string]string
		warned string // the flags in the warnings
	}{
		{args: "-register -master https://m:8080"},
		{args: "--allow-master-as-worker --skip-confirmation", labels: map[string]string{"master_as_worker": "true"}},
		{
			args:   "--allow-master-as-worker --label master_as_worker=no",
			labels: map[string]string{"master_as_worker": "no"},
		},
		{args: "--generate-input"},
		{args: "--generate-input=t"},
		{args: "--generate-input=false", warned: "--generate-input"},
		{args: "--enable-auto-attach=false --auto-attach-cpu-quota 0"},
		{
			args: "--enable-auto-attach --auto-attach-scan-interval 3s --auto-attach-cpu-quota 100 " +
				"--auto-attach-memory-limit=512",
			warned: "--enable-auto-attach --auto-attach-scan-interval --auto-attach-cpu-quota " +
				"--auto-attach-memory-limit",
		},
	} {
		t.Run(tt.args, func(t *testing.T) {
			c, err := parse(strings.Fields(tt.args), flagstest.Environment(nil))
			if err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(c.labels, tt.labels) {
				t.Errorf("got labels %v, want %v", c.labels, tt.labels)
			}
			flagstest.Warns(t, tt.warned, func(log *bytes.Buffer) { c.legacy.Warn(c.log.Logger("agent", log)) })
		})
	}
}
