package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// dryRunID is the id of a job that is not created.
const dryRunID = "00000000-0000-0000-0000-000000000000"

// dryRun answers what a submission would create, and which command a node would run for it. Nothing changes.
func (s *Server) dryRun(c *call, spec *ffrtmp.Spec) (*answer, error) {
	if err := s.checkDiskSpace(c); err != nil {
		return nil, err
	}
	if err := s.cfg.State.CheckOutput(spec.Parameters); err != nil {
		return nil, err
	}
	nodes := s.cfg.State.Nodes()
	j := s.cfg.Proposer.Job(spec, ffrtmp.SubmittedJob{ID: dryRunID}, time.Now().UTC())
	node, warnings, err := dryRunNode(c.URL.Query().Get("node"), nodes, j.Requires)
	if err != nil {
		return nil, err
	}
	result := ffrtmp.DryRun{Job: j, Warnings: warnings, Assumed: []string{}, Command: []string{}}
	if node != nil {
		result.NodeID, result.NodeName = node.ID, node.Name
	}
	if err := build(&result, spec); err != nil {
		return nil, err
	}
	s.expect(c.Context(), &result, nodes)
	s.jobView(&result.Job)
	return &answer{body: result}, nil
}

// expect sets how long the job would wait.
func (s *Server) expect(ctx context.Context, r *ffrtmp.DryRun, nodes []ffrtmp.Node) {
	r.Ahead = s.cfg.State.Ahead(r.Job.Queue, r.Job.Priority)
	able, free := false, false
	for i := range nodes {
		if r.Job.Requires.Unmet(&nodes[i]) == "" {
			able = true
			free = free || exclusion(&r.Job, &nodes[i], &fsm.Waiting{}) == ""
		}
	}
	var wait float64
	if !able {
		return
	}
	if r.Ahead > 0 || !free {
		rate := s.startRate(ctx)
		if rate == 0 {
			return
		}
		wait = float64(r.Ahead+1) / rate
	}
	r.EstimatedWaitSeconds = &wait
}

// startRate is how many attempts started in a second, in the last hour or since the first event of it.
func (s *Server) startRate(ctx context.Context) float64 {
	now := time.Now().UTC()
	if complete, err := s.statistics.read(ctx, s, now); err != nil || !complete {
		return 0
	}
	stats := s.statistics.window(now, time.Hour)
	begun := func(b ffrtmp.StatsBucket) bool { return b.Submitted > 0 || b.Started > 0 }
	since := slices.IndexFunc(stats.Buckets, begun)
	if since < 0 {
		return 0
	}
	return float64(stats.Totals.Started) / max(now.Sub(stats.Buckets[since].Time).Seconds(), 1)
}

// dryRunNode returns the node that a dry run is about: the one with that id or name, or one that can run the
// job, idle ones first, or nil.
func dryRunNode(name string, nodes []ffrtmp.Node, requires *ffrtmp.Requires) (*ffrtmp.Node, []string, error) {
	warnings := []string{}
	if name != "" {
		i := slices.IndexFunc(nodes, func(n ffrtmp.Node) bool { return n.ID == name || n.Name == name })
		if i < 0 {
			return nil, nil, ffrtmp.FieldErrorf("node", "no node has the id or name %q", name)
		}
		if reason := requires.Unmet(&nodes[i]); reason != "" {
			warnings = append(warnings, fmt.Sprintf("node %s cannot run it: %s", nodes[i].Name, reason))
		}
		return &nodes[i], warnings, nil
	}
	var able []*ffrtmp.Node
	for i := range nodes {
		if requires.Unmet(&nodes[i]) == "" {
			able = append(able, &nodes[i])
		}
	}
	if len(able) == 0 {
		return nil, append(warnings, "no registered node can run it: "+noMatch(nodes, requires)), nil
	}
	idle := slices.IndexFunc(able, func(n *ffrtmp.Node) bool { return n.Status == ffrtmp.NodeAvailable })
	return able[max(idle, 0)], warnings, nil
}

// build sets the command of a dry run, for an input that nobody has looked at.
func build(r *ffrtmp.DryRun, spec *ffrtmp.Spec) error {
	p, err := ffrtmp.ParseParameters(spec.Parameters)
	if err != nil {
		return err
	}
	e, err := ffrtmp.Resolve(spec.Scenario, p)
	if err != nil {
		return err
	}
	command, problem := commandOf(e, r.Job.ID)
	if problem != "" {
		r.Warnings = append(r.Warnings, "it would fail at the start: "+problem)
		return nil
	}
	r.Command = command
	if e.Input != "" {
		r.Assumed = append(r.Assumed, assumptions(&e)...)
	}
	normal := func(t ffrtmp.AudioTrack) bool { return t.Normal != nil }
	if e.Loudness != nil || slices.ContainsFunc(e.AudioTracks, normal) {
		r.Assumed = append(r.Assumed, "loudness: what the first pass measures is added to loudnorm in the second")
	}
	return nil
}

// commandOf returns the command of a typical node, or why there is none.
func commandOf(e ffrtmp.Encoding, jobID string) (command []string, problem string) {
	run := recipe.Run{JobID: jobID, Attempt: 1}
	plan, err := recipe.Build(e, run, namedFiles{}, recipe.Machine{VAAPIDevice: "/dev/dri/renderD128"}, nil)
	if err != nil {
		return nil, err.Error()
	}
	return shown(&plan), ""
}

// assumptions are what a command says of an input that nobody has looked at.
func assumptions(e *ffrtmp.Encoding) []string {
	list := []string{"the input exists and has what the scenario needs"}
	switch {
	case e.Copy:
		return append(list, "the output's container holds its codecs")
	case !e.Audio():
		list = append(list, "the picture is progressive SDR in square pixels: other sources get more filters "+
			"(deinterlacing, tone mapping, scaling by display aspect, color conversion)")
	}
	if e.AudioEncoder != "" {
		list = append(list, "the sound has one to eight channels with usual names")
	}
	for i, t := range e.AudioTracks {
		if t.All {
			list = append(list, fmt.Sprintf("audio[%d]: the input has one audio track", i))
		}
		if t.Language != "" {
			list = append(list, fmt.Sprintf("audio[%d]: the input has one audio track in language %s", i, t.Language))
		}
	}
	for i := range e.Subtitles {
		list = append(list, fmt.Sprintf("subtitles[%d]: the input has one such track, of text", i))
	}
	return list
}

// namedFiles are files by the names that a job has for them: below which media root, the node decides.
type namedFiles struct{}

// Input implements recipe.Roots.
func (namedFiles) Input(_, name string) (recipe.File, error) { return recipe.File{Name: name}, nil }

// Output implements recipe.Roots.
func (namedFiles) Output(name string) (recipe.File, error) { return recipe.File{Name: name}, nil }

// shown returns a plan's command with the files' names and without secrets.
func shown(p *recipe.Plan) []string {
	names := []string{
		recipe.SourceAddress, redactedURL("input", p.Source),
		recipe.TargetAddress, redactedURL("rtmp_url", p.Target),
		fmt.Sprintf("/proc/self/fd/%d/", recipe.PassFD), "",
	}
	if p.Input != nil {
		for _, prefix := range []string{"file:", ""} { // a filter that draws subtitles has no prefix
			names = append(names, fmt.Sprintf("%s/proc/self/fd/%d", prefix, recipe.InputFD), path.Clean(p.Input.Path()))
		}
	}
	if p.Picture != nil {
		names = append(names, fmt.Sprintf("file:/proc/self/fd/%d", recipe.PictureFD), path.Clean(p.Picture.Path()))
	}
	if p.Mark != nil {
		names = append(names, fmt.Sprintf("/proc/self/fd/%d", recipe.WatermarkFD), path.Clean(p.Mark.Path()))
	}
	if p.Playlist != "" {
		names = append(names, fmt.Sprintf("file:/proc/self/fd/%d", recipe.PlaylistFD), redactedURL("input", p.Source))
	}
	if p.Final != nil {
		names = append(names, fmt.Sprintf("file:/proc/self/fd/%d", recipe.OutputFD), path.Clean(p.Final.Path()))
	}
	for i, s := range p.Sidecars {
		names = append(names, fmt.Sprintf("file:/proc/self/fd/%d", recipe.SidecarFD+i), path.Clean(s.Final.Path()))
	}
	// Longer ones first: a key that is part of another must not leave the rest of it.
	secrets := slices.DeleteFunc(slices.Clone(p.Secrets), func(s string) bool { return s == "" })
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	var hidden []string
	for _, secret := range secrets {
		hidden = append(hidden, secret, ffrtmp.Redacted)
	}
	hide, name := strings.NewReplacer(hidden...), strings.NewReplacer(names...)
	args := append([]string{"ffmpeg"}, p.Args...)
	if len(p.First) > 0 {
		args = slices.Concat([]string{"ffmpeg"}, p.First, []string{"&&"}, args)
	}
	var command []string
	for _, arg := range args {
		switch {
		case slices.Contains(secrets, arg):
			arg = ffrtmp.Redacted
		case !strings.HasPrefix(arg, "-"): // else it is an option's name
			arg = name.Replace(hide.Replace(arg))
		}
		command = append(command, arg)
	}
	return command
}

// redactedURL returns a parameter's URL as job views show it.
func redactedURL(parameter, url string) string {
	var shown map[string]string
	raw, err := json.Marshal(map[string]string{parameter: url})
	if err != nil || json.Unmarshal(ffrtmp.RedactParameters(raw), &shown) != nil {
		return ffrtmp.Redacted
	}
	return shown[parameter]
}
