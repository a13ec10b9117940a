package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
)

// defaultSurveyTime bounds a survey without --timeout: cluster status answers within two seconds whatever is down.
const defaultSurveyTime = 1700 * time.Millisecond

func (c *command) clusterStatus() *cobra.Command {
	return c.reading.register(&cobra.Command{
		Use:   "status",
		Short: "Show the leader, its progress and every master's own view",
		Long: `Ask every master for its view of the cluster, in parallel, and show the leader's. The
answer takes at most two seconds (or --timeout), whatever is down.

The exit code is 1 without a quorum.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.reading.timeout <= 0 {
				c.reading.timeout = c.surveyTime
			}
			return c.with(cmd, c.showCluster)
		},
	})
}

func (c *command) showCluster(ctx context.Context, cl *client.Client) error {
	r, err := c.survey(ctx, cl)
	if err != nil {
		return fmt.Errorf("show cluster: %w", err)
	}
	parts := []cli.HumanWriter{r.fields(), memberTable(r.Members)}
	parts = append(parts, warningLines(r.Warnings)...)
	if r.troubled() {
		parts = append(parts, r.viewTable())
	}
	if err := c.print(r, parts...); err != nil {
		return err
	}
	if !r.Quorum {
		return noQuorumError{r.answering(), r.voters()}
	}
	return nil
}

// clusterReport is the state of the cluster, as the leader or else the most advanced master sees it, and the view of
// each master.
type clusterReport struct {
	ffrtmp.ClusterStatus
	Quorum bool         `json:"quorum"`
	Views  []masterView `json:"views"`
}

// masterView is what one master answered.
type masterView struct {
	URL          string `json:"url"`
	ID           string `json:"id,omitempty"`
	Role         string `json:"role,omitempty"`
	Leader       string `json:"leader,omitempty"` // id, as this master knows it
	Term         uint64 `json:"term,omitempty"`
	AppliedIndex uint64 `json:"applied_index,omitempty"`
	Error        string `json:"error,omitempty"` // why there is no answer

	status ffrtmp.ClusterStatus
}

// survey asks the leader through any master, and every master for its own view. It fails if none answers.
func (c *command) survey(ctx context.Context, cl *client.Client) (clusterReport, error) {
	type answer struct {
		status ffrtmp.ClusterStatus
		err    error
	}
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	leader := make(chan answer, 1)
	go func() {
		s, err := cl.Cluster(asking, c.reading.options()...)
		leader <- answer{s, err}
	}()
	views := c.views(ctx)
	best, led := latest(views)
	if best != nil && !led {
		cancel() // no master knows a leader that could answer
	}
	a := <-leader
	switch {
	case a.err == nil:
		r := clusterReport{ClusterStatus: a.status, Views: views}
		r.Quorum = a.status.Leader != "" && spare(a.status.Members) >= 0
		return r, nil
	case best != nil:
		return clusterReport{ClusterStatus: best.status, Views: views}, nil
	}
	return clusterReport{}, a.err
}

// latest returns the most advanced view, nil without any, and whether a master knows a leader.
func latest(views []masterView) (best *masterView, led bool) {
	for i, v := range views {
		if v.Error != "" {
			continue
		}
		led = led || v.Leader != ""
		if best == nil || v.AppliedIndex > best.AppliedIndex {
			best = &views[i]
		}
	}
	return best, led
}

// views asks the masters of the settings, and all that they name, at the same time. A master that has several URLs is
// listed once.
func (c *command) views(ctx context.Context) []masterView {
	var mu sync.Mutex
	var wait sync.WaitGroup
	asked, views := map[string]bool{}, []masterView{}
	var ask func(urls []string)
	ask = func(urls []string) {
		mu.Lock()
		defer mu.Unlock()
		for _, url := range urls {
			if url = strings.TrimRight(url, "/"); url == "" || asked[url] {
				continue
			}
			asked[url] = true
			wait.Go(func() {
				v := c.viewOf(ctx, url)
				mu.Lock()
				views = append(views, v)
				mu.Unlock()
				var others []string
				for _, m := range v.status.Members {
					others = append(others, m.APIURL)
				}
				ask(others)
			})
		}
	}
	ask(c.settings.Masters)
	wait.Wait()
	return tidy(views)
}

// tidy sorts views by URL, and leaves out further views of one master: the answer at another of its URLs, and the
// failure of a URL that a master which has answered elsewhere gives for itself.
func tidy(views []masterView) []masterView {
	slices.SortFunc(views, func(a, b masterView) int { return cmp.Compare(a.URL, b.URL) })
	known, own := map[string]bool{}, map[string]bool{}
	for _, v := range views {
		for _, m := range v.status.Members {
			if m.ID == v.ID {
				own[m.APIURL] = true
			}
		}
	}
	return slices.DeleteFunc(views, func(v masterView) bool {
		if v.Error != "" {
			return own[v.URL]
		}
		again := known[v.ID] && v.ID != ""
		known[v.ID] = true
		return again
	})
}

// viewOf asks one master once.
func (c *command) viewOf(ctx context.Context, url string) masterView {
	v := masterView{URL: url}
	cl, err := c.connectTo([]string{url}, time.Nanosecond)
	if err != nil {
		v.Error = err.Error()
		return v
	}
	defer cl.Close()
	var meta client.Meta
	s, err := cl.Cluster(ctx, client.Stale(0), client.WithMeta(&meta))
	if err != nil {
		v.Error = viewError(err)
		return v
	}
	v.ID, v.Leader, v.Term, v.AppliedIndex, v.status = meta.ServedBy, s.Leader, s.Term, s.AppliedIndex, s
	for _, m := range s.Members {
		if m.ID == v.ID {
			v.Role = m.Role
		}
	}
	return v
}

// viewError returns why a master did not answer.
func viewError(err error) string {
	var unavailable *client.UnavailableError
	if errors.As(err, &unavailable) && len(unavailable.Tries) > 0 {
		err = unavailable.Tries[0].Err
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		err = dial.Err // without the address: the table has the URL
	}
	return err.Error()
}

func (r clusterReport) voters() (n int) {
	for _, m := range r.Members {
		if m.Voter {
			n++
		}
	}
	return n
}

// answering is how many voters answer.
func (r clusterReport) answering() (n int) {
	for _, m := range r.Members {
		answers := func(v masterView) bool { return v.ID == m.ID && v.Error == "" }
		if m.Voter && slices.ContainsFunc(r.Views, answers) {
			n++
		}
	}
	return n
}

// troubled reports whether a master's own view differs from the leader's.
func (r clusterReport) troubled() bool {
	return slices.ContainsFunc(r.Views,
		func(v masterView) bool { return v.Error != "" || v.Leader != r.Leader || v.Leader == "" })
}

func (r clusterReport) fields() *cli.Fields {
	f := &cli.Fields{}
	f.Add("Cluster", r.Name)
	f.Add("ID", r.ClusterID)
	if r.Quorum {
		f.Add("Leader", named(r.Members, r.Leader)+" "+r.LeaderURL)
	} else {
		f.Add("Leader", cli.Coloured("none", cli.Red))
	}
	f.Add("Term", r.Term)
	f.Add("Committed", r.CommitIndex)
	f.Add("Applied", r.AppliedIndex)
	if b := r.Backups; b != nil {
		f.Add("Backup", backupText(b))
	}
	if r.Quorum {
		f.Add("Health", health(r.Members))
	} else {
		e := noQuorumError{r.answering(), r.voters()}
		health := fmt.Sprintf("%d of %d voters answer, %s", e.answering, e.voters, e.lack())
		f.Add("Health", cli.Coloured(health, cli.Red))
	}
	return f
}

func (r clusterReport) viewTable() *cli.Table {
	t := cli.NewTable("MASTER~", "ROLE", "LEADER~", "TERM<", "APPLIED<", "ERROR~")
	for _, v := range r.Views {
		if v.Error != "" {
			t.Add(v.URL, "", "", "", "", cli.Coloured(v.Error, cli.Red))
			continue
		}
		leader := cmp.Or(named(r.Members, v.Leader), "none")
		t.Add(v.URL, memberRole(v.Role), leader, v.Term, v.AppliedIndex, "")
	}
	return t
}

// noQuorumError is the failure of cluster status without a quorum.
type noQuorumError struct{ answering, voters int }

func (e noQuorumError) Error() string {
	return fmt.Sprintf("%s: %d of %d voters answer, %d are needed", e.lack(), e.answering, e.voters, e.needed())
}

func (e noQuorumError) needed() int { return e.voters/2 + 1 }

// lack is what the cluster lacks: enough voters that answer have not elected a leader.
func (e noQuorumError) lack() string {
	if e.answering >= e.needed() {
		return "no leader"
	}
	return "no quorum"
}

func (e noQuorumError) hint() string {
	if e.answering >= e.needed() {
		return "Repeat the command: an election takes a second or two. If there is no leader then, the masters do " +
			"not reach each other: check the peer port (8300) between them."
	}
	return "Start the masters that do not answer. If their disks are lost, stop a surviving master and run " +
		"ffrtmp recover there."
}

// backupText says when the last scheduled backup was written, and when the next one is due.
func backupText(b *ffrtmp.Backups) string {
	text := "none yet"
	if !b.LastSuccess.IsZero() {
		text = b.LastSuccess.Format(time.RFC3339)
	}
	if !b.Next.IsZero() {
		text += ", next " + b.Next.Format(time.RFC3339)
	}
	return text
}
