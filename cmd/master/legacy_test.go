package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/flags/flagstest"
)

// The flags of v2.2's master do what they did; those that cannot are answered with one line of the log.
func TestParse_Legacy(t *testing.T) {
	const endpoint = "http://collector:4318"
	for _, tt := range []struct {
		args      string
		retention time.Duration
		endpoint  string
		warned    string // the flags in the warnings
	}{
		{args: "", retention: 168 * time.Hour},
		{args: "-port 8443 -tls=false -metrics", retention: 168 * time.Hour},
		{args: "--log-level warning", retention: 168 * time.Hour},
		{args: "--cleanup", retention: 168 * time.Hour},
		{args: "--cleanup=false --cleanup-retention 30", retention: 0},
		{args: "--cleanup-retention 30", retention: 720 * time.Hour},
		{args: "--cleanup-retention 0", retention: 24 * time.Hour},
		{args: "--cleanup=false --retention 1h", retention: time.Hour},
		{args: "--cleanup-retention 30 --retention 1h", retention: time.Hour},
		{args: "--tracing", retention: 168 * time.Hour, endpoint: "localhost:4318"},
		{args: "--tracing --tracing-endpoint collector:4318", retention: 168 * time.Hour, endpoint: "collector:4318"},
		{args: "--tracing=false --tracing-endpoint " + endpoint, retention: 168 * time.Hour},
		{args: "--tracing-endpoint " + endpoint, retention: 168 * time.Hour, endpoint: endpoint},
		{args: "--scheduler-interval 5s", retention: 168 * time.Hour, warned: "--scheduler-interval"},
		{args: "--db-type sqlite", retention: 168 * time.Hour},
		{
			args:      "--db-type postgres --db-dsn postgresql://user:secret@db/ffrtmp",
			retention: 168 * time.Hour, warned: "--db-type --db-dsn",
		},
	} {
		t.Run(tt.args, func(t *testing.T) {
			c, err := parse(strings.Fields(tt.args), flagstest.Environment(nil))
			if err != nil {
				t.Fatal(err)
			}
			if c.Retention != tt.retention || c.TracingEndpoint != tt.endpoint {
				t.Errorf("got retention %v, endpoint %q, want %v, %q", c.Retention, c.TracingEndpoint, tt.retention,
					tt.endpoint)
			}
			flagstest.Warns(t, tt.warned, func(log *bytes.Buffer) { c.legacy.Warn(c.log.Logger("master", log)) })
		})
	}
}

// v2.2's variables chose PostgreSQL, too; each is answered with one line, which does not show its value.
func TestParse_LegacyVariables(t *testing.T) {
	for _, tt := range []struct {
		env  map[string]string
		want int
	}{
		{map[string]string{"DATABASE_TYPE": "sqlite", "DATABASE_DSN": ""}, 0},
		{map[string]string{"DATABASE_TYPE": "postgres", "DATABASE_DSN": "postgresql://user:secret@db/ffrtmp"}, 2},
	} {
		c, err := parse(nil, flagstest.Environment(tt.env))
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		c.legacy.Warn(c.log.Logger("master", &log))
		got := log.String()
		if strings.Count(got, "variable of v2.2 has no effect") != tt.want || strings.Contains(got, "secret") {
			t.Errorf("%v: got %q, want %d lines without the value", tt.env, got, tt.want)
		}
	}
}
