package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// demo is one run of the demonstration.
type demo struct {
	cluster  *devcluster.Cluster
	client   *client.Client
	started  time.Time
	leader   int
	follower int // that the job is submitted through
	killed   int
	input    string // within the media root
	source   media
	job      ffrtmp.Job
	output   media
	writer   *writer
	gap      time.Duration
	election time.Duration
	catchUp  time.Duration
}

const (
	scenario   = "720p30-h264"
	outputName = "demo-720p.mp4"
)

func (d *demo) say(format string, args ...any) {
	fmt.Printf("%6.1fs  %s\n", time.Since(d.started).Seconds(), fmt.Sprintf(format, args...))
}

func (d *demo) name(i int) string { return d.cluster.Master(i).Name() }

// submit sends the job to a follower and starts the writer that measures the write
// outage.
func (d *demo) submit(ctx context.Context) error {
	url := d.cluster.Master(d.follower).URL()
	follower, err := client.New(
		client.Config{Masters: []string{url}, APIKey: d.cluster.APIKey(), TLS: d.cluster.ClientTLS()},
	)
	if err != nil {
		return err
	}
	defer follower.Close()
	// Two threads, so that a large machine is not done before the leader can be killed.
	parameters, err := json.Marshal(
		map[string]any{"input": d.input, "output": outputName, "preset": "medium", "threads": 2},
	)
	if err != nil {
		return err
	}
	var meta client.Meta
	d.job, err = follower.Submit(ctx, ffrtmp.Spec{Scenario: scenario, Parameters: parameters}, client.WithMeta(&meta))
	if err != nil {
		return fmt.Errorf("submit through %s: %w", d.name(d.follower), err)
	}
	d.say("submitted job %d (%s, %s) to the follower %s: committed at index %d",
		d.job.SequenceNumber, scenario, d.input, d.name(d.follower), meta.Index)
	d.writer = startWriter(ctx, d.client)
	return nil
}

// encode watches the job and kills the leader half-way.
func (d *demo) encode(ctx context.Context) error {
	defer d.writer.Stop()
	d.killed = -1
	shown := -10
	var watchErr error
	done, err := d.client.Wait(ctx, d.job.ID, func(j ffrtmp.Job) {
		if j.Progress >= shown+10 || j.Progress == 100 && shown < 100 {
			shown = j.Progress
			d.say("%s", progressLine(j))
		}
		if d.killed < 0 && j.Status == ffrtmp.Running && j.Progress >= 45 {
			watchErr = d.killLeader(ctx)
		}
	})
	if err == nil {
		err = watchErr
	}
	if err != nil {
		return err
	}
	d.job = done
	switch {
	case done.Status != ffrtmp.Completed:
		return fmt.Errorf("the job is %s: %s", done.Status, done.Error)
	case d.killed < 0:
		return fmt.Errorf("the encode finished before the leader was killed; use a longer INPUT")
	case len(done.Attempts) != 1:
		return fmt.Errorf("got %d attempts, want 1: a dead master must not affect ffmpeg", len(done.Attempts))
	}
	d.say("job completed on %s in one attempt", done.NodeName)
	return nil
}

func (d *demo) killLeader(ctx context.Context) error {
	var err error
	if d.killed, err = d.cluster.Leader(ctx); err != nil {
		return err
	}
	d.say("kill -9 %s (the leader)", d.name(d.killed))
	began := time.Now()
	d.cluster.Master(d.killed).Kill()
	if d.leader, err = d.cluster.Leader(ctx); err != nil {
		return err
	}
	d.election = time.Since(began)
	if d.leader == d.killed {
		return fmt.Errorf("%s still leads after kill -9", d.name(d.killed))
	}
	d.say("new leader: %s, seen after %s", d.name(d.leader), round(d.election))
	return nil
}

// verify checks the output and every acknowledged write.
func (d *demo) verify(ctx context.Context) error {
	path := filepath.Join(d.cluster.MediaRoot(), outputName)
	var err error
	if d.output, err = probe(ctx, path); err != nil {
		return err
	}
	if err := d.output.check(d.source); err != nil {
		return fmt.Errorf("%s: %w", outputName, err)
	}
	sum, err := sha256File(path)
	if err != nil {
		return err
	}
	if d.job.Output == nil || d.job.Output.SHA256 != sum {
		return fmt.Errorf("the job's output record %+v does not match the file: SHA-256 %s", d.job.Output, sum)
	}
	entries, err := os.ReadDir(d.cluster.MediaRoot())
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), ".part") {
			return fmt.Errorf("unpublished file %s left behind", e.Name())
		}
	}
	d.say("ffprobe: %s; SHA-256 matches the job's record", d.output)
	d.gap = d.writer.longestGap()
	if err := d.writer.verify(ctx); err != nil {
		return err
	}
	d.say("%d writes acknowledged meanwhile, 0 lost, 0 duplicated; longest pause %s", d.writer.count(), round(d.gap))
	return nil
}

// restart brings the killed master back and waits until it has caught up.
func (d *demo) restart(ctx context.Context) error {
	before, err := d.client.Cluster(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	m := d.cluster.Master(d.killed)
	if err := m.Start(); err != nil {
		return err
	}
	if err := m.WaitReady(ctx); err != nil {
		return err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := d.client.Cluster(ctx)
		if err != nil {
			return err
		}
		for _, member := range now.Members {
			if member.APIURL == m.URL() && member.Healthy && member.AppliedIndex >= before.CommitIndex {
				d.catchUp = time.Since(began)
				d.say(
					"%s restarted and caught up to index %d after %s",
					m.Name(),
					member.AppliedIndex,
					round(d.catchUp),
				)
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not catch up: %w", m.Name(), ctx.Err())
		case <-tick.C:
		}
	}
}

func (d *demo) summarize() {
	fmt.Printf(`
  job, one attempt on one node             %s on %s
  output                                   %s
  writes acknowledged, lost, duplicated    %d, 0, 0
  longest pause in writes after kill -9    %s
  killed master caught up after            %s

demo passed in %s
`, d.job.ID, d.job.NodeName, d.output, d.writer.count(), round(d.gap), round(d.catchUp), round(time.Since(d.started)))
}

func progressLine(j ffrtmp.Job) string {
	const width = 30
	filled := j.Progress * width / 100
	line := fmt.Sprintf("[%s%s] %3d %%", strings.Repeat("#", filled), strings.Repeat(".", width-filled), j.Progress)
	if p := j.ProgressDetail; p != nil && j.Status == ffrtmp.Running {
		line += fmt.Sprintf(
			"  %.0f fps  %.2fx  %s left",
			p.FPS,
			p.Speed,
			round(time.Duration(p.ETASeconds*float64(time.Second))),
		)
	} else {
		line += "  " + string(j.Status)
	}
	return line
}
