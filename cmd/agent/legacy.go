package main

import (
	"github.com/spf13/pflag"

	"github.com/ffrtmp/ffrtmp/internal/flags"
)

// masterAsWorker is the label that v2.2's agent gave its node with --allow-master-as-worker.
const masterAsWorker = "master_as_worker"

// legacy are the flags that only v2.2's agent had.
type legacy struct {
	flags.Legacy
	masterAsWorker bool
}

func (l *legacy) register(fs *pflag.FlagSet) {
	fs.BoolVar(&l.masterAsWorker, "allow-master-as-worker", false, "v2.2: label the node "+masterAsWorker+"=true")
	fs.Bool("skip-confirmation", false, "v2.2: ask nothing (agents never do)")
	flags.Hide(fs, "allow-master-as-worker", "skip-confirmation")
	l.IgnoreSwitch(fs, "generate-input", true,
		"a job without an input encodes a test pattern; submit jobs with --input")
	const governed = "only the ffmpeg of jobs is limited, by parameters.resource_limits; " +
		"limit other processes with systemd (CPUQuota=, MemoryMax=)"
	l.IgnoreSwitch(fs, "enable-auto-attach", false, governed)
	l.Ignore(fs, "auto-attach-scan-interval", "", governed)
	l.Ignore(fs, "auto-attach-cpu-quota", "0", governed)
	l.Ignore(fs, "auto-attach-memory-limit", "0", governed)
}

// apply makes l's flags do what they did. A label that is set explicitly stays.
func (l *legacy) apply(c *config) {
	if _, set := c.labels[masterAsWorker]; set || !l.masterAsWorker {
		return
	}
	if c.labels == nil {
		c.labels = map[string]string{}
	}
	c.labels[masterAsWorker] = "true"
}
