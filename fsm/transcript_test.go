package fsm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// The transcripts in testdata specify how jobs move between nodes: a command, its result, and every job and node
// that it changed. After each command, memory must equal that of a fresh start from the database.
//
//	submit [queue=Q] [priority=P] [retries=N] [timeout=D] [site=S] [output=PATH [extract]] [count=N] [key=K]
//	register NODE [slots=N] [site=S] [v2.2]
//	claim NODE [max=N]
//	result NODE job=N STATUS [attempt=N] [lease=N|forged|none] [reason=R] [unseen] [key=K] [hash=N]
//	expire|time-out job=N [attempt=N]
//	reclaim NODE job=N [attempt=N] [lease=N|forged]
//	cancel|pause|resume|retry job=N [key=K] [hash=N]
//	drain|cordon|uncordon|offline|online|remove|force-remove NODE
//	error job=N
//	after D
//	restart
//
// The attempt is the node's last one of the job; lease=N is the lease of the job's attempt N. A v2.2
// node omits both unless the transcript has them.
// go test ./fsm -run TestTranscripts -rewrite writes the results into the files.
func TestTranscripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("got transcripts %v and %v, want some", paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			r := newTranscript(t)
			datadriven.RunTest(t, path, r.run)
		})
	}
}

// transcript runs the commands of one file.
type transcript struct {
	*cluster
	ids    map[string]string // nodes by name
	names  map[string]string // and back
	legacy map[string]bool
	leases map[store.AttemptID]string
	newest map[string]store.Attempt // by node and job
	shown  map[string]string
}

func newTranscript(t *testing.T) *transcript {
	r := &transcript{
		cluster: openCluster(t, Options{}), ids: map[string]string{}, names: map[string]string{},
		legacy: map[string]bool{},
		leases: map[store.AttemptID]string{}, newest: map[string]store.Attempt{}, shown: map[string]string{},
	}
	r.Proposer.opts.Rand = &countingRand{}
	return r
}

// countingRand generates distinct leases and no jitter.
type countingRand struct{ n uint64 }

func (c *countingRand) Read(p []byte) (int, error) {
	clear(p)
	if len(p) == len(lease{}) {
		c.n++
		binary.BigEndian.PutUint64(p[8:], c.n)
	}
	return len(p), nil
}

func (r *transcript) run(t *testing.T, d *datadriven.TestData) string {
	commands := map[string]func(*datadriven.TestData) (string, error){
		"submit": r.submitJobs, "register": r.registerNode, "claim": r.claimJobs, "result": r.handIn,
		"expire": r.attempts(r.Expire), "time-out": r.attempts(r.TimeOut), "reclaim": r.reclaim,
		"cancel": r.act(ffrtmp.Cancel), "pause": r.act(ffrtmp.Pause), "resume": r.act(ffrtmp.Resume),
		"retry": r.act(ffrtmp.Retry),
		"drain": r.setEligibility(ffrtmp.Draining), "cordon": r.setEligibility(ffrtmp.Cordoned),
		"uncordon": r.setEligibility(ffrtmp.Eligible),
		"offline":  r.setOffline(true), "online": r.setOffline(false), "remove": r.remove(false),
		"force-remove": r.remove(true),
		"after":        r.wait, "restart": r.restart, "error": r.jobError,
	}
	do, ok := commands[d.Cmd]
	if !ok {
		d.Fatalf(t, "unknown command %s", d.Cmd)
	}
	said, err := do(d)
	var refused *ffrtmp.Error
	switch {
	case errors.As(err, &refused):
		said = "refused: " + string(refused.Code)
	case err != nil:
		d.Fatalf(t, "%v", err)
	}
	r.checkDerived()
	return strings.TrimPrefix(said+"\n", "\n") + r.changes()
}

// changes returns the lines of jobs and nodes that differ from the last call.
func (r *transcript) changes() string {
	var b strings.Builder
	show := func(name, line string) {
		if r.shown[name] != line {
			fmt.Fprintf(&b, "%s: %s\n", name, line)
			r.shown[name] = line
		}
	}
	page := ffrtmp.Page{Limit: 100, Order: ffrtmp.Ascending}
	list, err := r.fsm.Jobs(r.Context(), ffrtmp.Filter{}, page)
	if err != nil {
		r.Fatal(err)
	}
	for i := range list.Jobs {
		show(fmt.Sprint("job ", list.Jobs[i].SequenceNumber), r.jobLine(list.Jobs[i].SequenceNumber))
	}
	for _, n := range r.fsm.Nodes() {
		show("node "+n.Name, fmt.Sprintf("%s %s, holds %d", n.Status, n.Eligibility, len(n.Running)))
	}
	return b.String()
}

func (r *transcript) jobLine(seq uint64) string {
	j := r.job(seq)
	line := string(j.Status)
	if j.ProgressDetail != nil && j.ProgressDetail.Phase == ffrtmp.PublishingPhase {
		line += " publishing"
	}
	if j.RetryCount > 0 {
		line += fmt.Sprintf(" retry %d/%d", j.RetryCount, j.MaxRetries)
	}
	if wait := j.NotBefore.Sub(r.now); wait > 0 {
		line += fmt.Sprint(" in ", wait)
	}
	if left := j.TimeoutAt.Sub(r.now); j.Status == ffrtmp.Running && left > 0 {
		line += fmt.Sprint(" times out in ", left)
	}
	if j.FailureReason != "" {
		line += " " + string(j.FailureReason)
	}
	for _, a := range j.Attempts {
		line += fmt.Sprintf("; %d %s %s", a.Attempt, r.names[a.NodeID], a.Outcome)
	}
	return line
}

func (r *transcript) submitJobs(d *datadriven.TestData) (string, error) {
	spec := newSpec(r, func(s *ffrtmp.Spec) {
		s.Queue, s.Priority = ffrtmp.Queue(arg(d, "queue", "")), ffrtmp.Priority(arg(d, "priority", ""))
		if d.HasArg("retries") {
			n := r.number(d, "retries", 0)
			s.MaxRetries = &n
		}
		if d.HasArg("timeout") {
			limit, err := time.ParseDuration(arg(d, "timeout", ""))
			if err != nil {
				r.Fatal(err)
			}
			s.Parameters = fmt.Appendf(nil, `{"resource_limits":{"timeout_sec":%d}}`, int(limit.Seconds()))
		}
		if input := arg(d, "input", ""); input != "" {
			s.Parameters = fmt.Appendf(nil, `{"input":"%s","output":"%s"}`, input, arg(d, "output", ""))
		} else if output := arg(d, "output", ""); output != "" {
			s.Parameters = fmt.Appendf(nil, `{"output":"%s"}`, output)
			if d.HasArg("extract") {
				const form = `{"input":"a.mkv","output":"%s","subtitles":[{"mode":"extract"}]}`
				s.Parameters = fmt.Appendf(nil, form, output)
			}
		}
		if site := arg(d, "site", ""); site != "" {
			s.Requires = &ffrtmp.Requires{Labels: map[string]string{"site": site}}
		}
	})
	specs := make([]ffrtmp.Spec, r.number(d, "count", 1))
	for i := range specs {
		specs[i] = spec
	}
	_, made, err := r.Submit(r.Context(), r.idempotency(d), specs)
	return r.replayed(made.Replayed), err
}

func (r *transcript) registerNode(d *datadriven.TestData) (string, error) {
	name := d.CmdArgs[0].Key
	r.legacy[name] = d.HasArg("v2.2")
	id := r.register(name, func(n *ffrtmp.Registration) {
		n.MaxConcurrentJobs = r.number(d, "slots", 4)
		if site := arg(d, "site", ""); site != "" {
			n.Labels = map[string]string{"site": site}
		}
		if roots := arg(d, "roots", ""); roots != "" {
			n.MediaRoots = strings.Split(roots, ":")
		}
		if r.legacy[name] {
			n.NodeID, n.MaxConcurrentJobs = "", 0
		}
	})
	r.ids[name], r.names[id] = id, name
	return "", nil
}

func (r *transcript) claimJobs(d *datadriven.TestData) (string, error) {
	name := d.CmdArgs[0].Key
	ready := r.fsm.HasReady(r.node(name), r.now)
	_, claimed, err := r.Claim(r.Context(), r.node(name), r.number(d, "max", 1))
	if err != nil {
		return "", err
	}
	if ready != (len(claimed) > 0) {
		r.Errorf("%s: node is ready: got %v, claimed %v", d.Pos, ready, claimed)
	}
	got := make([]string, len(claimed))
	for i, a := range claimed {
		r.leases[a.AttemptID], r.newest[fmt.Sprint(name, " ", a.Seq)] = a.Lease, a
		got[i] = strconv.FormatUint(a.Seq, 10)
	}
	if len(got) == 0 {
		return "got nothing", nil
	}
	return "got " + strings.Join(got, " "), nil
}

func (r *transcript) handIn(d *datadriven.TestData) (string, error) {
	name, a := d.CmdArgs[0].Key, r.attempt(d)
	result := ffrtmp.Result{
		NodeID: r.node(name), Attempt: a.Attempt, Lease: a.Lease, Status: ffrtmp.ResultStatus(d.CmdArgs[2].Key),
		FailureReason: ffrtmp.FailureReason(arg(d, "reason", "")),
	}
	if result.Status == ffrtmp.ResultFailed && result.FailureReason == "" {
		result.FailureReason = ffrtmp.RuntimeError
	}
	if d.HasArg("unseen") {
		result.InputUnseen, result.Error = true, "not on "+name
	}
	_, resulted, err := r.Result(r.Context(), r.idempotency(d), a.Seq, result)
	return r.replayed(resulted.Repeated), err
}

func (r *transcript) jobError(d *datadriven.TestData) (string, error) {
	return r.job(uint64(r.number(d, "job", 0))).Error, nil
}

// attempt returns the attempt of a command.
func (r *transcript) attempt(d *datadriven.TestData) store.Attempt {
	name, seq := d.CmdArgs[0].Key, r.number(d, "job", 0)
	a, known := r.newest[fmt.Sprint(name, " ", seq)]
	if !known {
		a.Seq, a.Attempt = uint64(seq), r.job(uint64(seq)).Attempt
	}
	if r.legacy[name] {
		a.Attempt, a.Lease = 0, ""
	}
	a.Attempt = r.number(d, "attempt", a.Attempt)
	switch of := arg(d, "lease", ""); of {
	case "":
	case "none":
		a.Lease = ""
	case "forged":
		a.Lease = strings.Repeat("ab", len(lease{}))
	default:
		a.Lease = r.leases[store.AttemptID{Seq: a.Seq, Attempt: r.number(d, "lease", 0)}]
	}
	return a
}

func (r *transcript) reclaim(d *datadriven.TestData) (string, error) {
	_, changed, err := r.Reclaim(r.Context(), r.node(d.CmdArgs[0].Key), []store.Attempt{r.attempt(d)})
	return fmt.Sprint("changed ", len(changed.Attempts)), err
}

func (r *transcript) attempts(do func(context.Context, []store.AttemptID) (uint64, Changed,
	error),
) func(*datadriven.TestData) (string, error) {
	return func(d *datadriven.TestData) (string, error) {
		seq := uint64(r.number(d, "job", 0))
		_, changed, err := do(r.Context(), []store.AttemptID{{Seq: seq, Attempt: r.number(d, "attempt",
			r.job(seq).Attempt)}})
		return fmt.Sprint("changed ", len(changed.Attempts)), err
	}
}

func (r *transcript) act(a ffrtmp.Action) func(*datadriven.TestData) (string, error) {
	return func(d *datadriven.TestData) (string, error) {
		_, done, err := r.Act(r.Context(), r.idempotency(d), a, uint64(r.number(d, "job", 0)))
		return r.replayed(done.Replayed), err
	}
}

func (r *transcript) setEligibility(e ffrtmp.Eligibility) func(*datadriven.TestData) (string, error) {
	return func(d *datadriven.TestData) (string, error) {
		_, _, err := r.SetEligibility(r.Context(), Idempotency{}, r.node(d.CmdArgs[0].Key), e, 0)
		return "", err
	}
}

func (r *transcript) setOffline(offline bool) func(*datadriven.TestData) (string, error) {
	return func(d *datadriven.TestData) (string, error) {
		_, _, err := r.SetOffline(r.Context(), []string{r.node(d.CmdArgs[0].Key)}, offline)
		return "", err
	}
}

func (r *transcript) remove(force bool) func(*datadriven.TestData) (string, error) {
	return func(d *datadriven.TestData) (string, error) {
		name := d.CmdArgs[0].Key
		_, _, err := r.RemoveNode(r.Context(), r.node(name), force)
		if err == nil {
			delete(r.shown, "node "+name)
		}
		return "", err
	}
}

func (r *transcript) wait(d *datadriven.TestData) (string, error) {
	rest, err := time.ParseDuration(d.CmdArgs[0].Key)
	r.after(rest)
	return "", err
}

func (r *transcript) restart(*datadriven.TestData) (string, error) {
	image := r.snapshot()
	r.restoreInPlace(image)
	return "", nil
}

func (r *transcript) node(name string) string {
	if id, ok := r.ids[name]; ok {
		return id
	}
	return name
}

func (r *transcript) idempotency(d *datadriven.TestData) Idempotency {
	if !d.HasArg("key") {
		return Idempotency{}
	}
	return Idempotency{Principal: "p", Key: arg(d, "key", ""), Hash: [32]byte{byte(r.number(d, "hash", 0))}}
}

func (*transcript) replayed(yes bool) string {
	if yes {
		return "replayed"
	}
	return ""
}

func (r *transcript) number(d *datadriven.TestData, name string, otherwise int) int {
	n, err := strconv.Atoi(arg(d, name, strconv.Itoa(otherwise)))
	if err != nil {
		r.Fatalf("%s: %v", d.Pos, err)
	}
	return n
}

func arg(d *datadriven.TestData, name, otherwise string) string {
	for _, a := range d.CmdArgs {
		if a.Key == name && len(a.Vals) == 1 {
			return a.Vals[0]
		}
	}
	return otherwise
}
