package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

func (c *command) nodes() *cobra.Command {
	list := listing[ffrtmp.Node]{
		short: "List nodes",
		noun:  "node",
		none:  "No nodes.",
		fetch: (*client.Client).Nodes,
		document: func(nodes []ffrtmp.Node) any {
			return ffrtmp.NodeList{Nodes: nodes, Count: len(nodes)}
		},
		table: func(nodes []ffrtmp.Node) cli.HumanWriter { return nodeTable(nodes) },
	}
	return group("nodes", "List, drain and remove the machines that run jobs",
		list.command(c),
		c.reading.register(c.nodesVerb("describe", "Show a node, named by id, unambiguous prefix of it, or name",
			func(cl *client.Client, ctx context.Context, id string, _ ...client.Option) (ffrtmp.Node, error) {
				return cl.Node(ctx, id, c.reading.options()...)
			})),
		c.nodesRemove(),
		c.nodesDrain(),
		c.nodesVerb("cordon", "Cordon a node: accept no new jobs", (*client.Client).Cordon),
		c.nodesVerb("uncordon", "Uncordon a node: accept jobs again", (*client.Client).Uncordon))
}

func nodeTable(nodes []ffrtmp.Node) *cli.Table {
	t := cli.NewTable("ID~", "NAME~", "STATUS", "ELIGIBILITY", "JOBS<", "TYPE?", "CPU~?", "MEMORY<?", "GPU~?",
		"HEARTBEAT<")
	for _, n := range nodes {
		t.Add(n.ID, n.Name, nodeStatus(n.Status), eligibility(n.Eligibility), slots(n), n.Type, cpu(n),
			cli.Size(n.RAMTotalBytes), gpu(n), cli.Age(n.LastHeartbeat))
	}
	return t
}

func nodeStatus(s ffrtmp.NodeStatus) cli.Cell {
	colours := map[ffrtmp.NodeStatus]cli.Colour{
		ffrtmp.NodeAvailable: cli.Green, ffrtmp.NodeBusy: cli.Cyan, ffrtmp.NodeOffline: cli.Red,
	}
	return cli.Coloured(string(s), colours[s])
}

func eligibility(e ffrtmp.Eligibility) cli.Cell {
	if e == ffrtmp.Eligible {
		return cli.Coloured(string(e), "")
	}
	return cli.Coloured(string(e), cli.Yellow)
}

// slots is how many jobs a node runs, of how many it may.
func slots(n ffrtmp.Node) string {
	most := "-"
	if n.MaxConcurrentJobs > 0 {
		most = strconv.Itoa(n.MaxConcurrentJobs)
	}
	return fmt.Sprintf("%d/%s", len(n.Running), most)
}

func cpu(n ffrtmp.Node) string {
	if n.CPUThreads == 0 {
		return n.CPUModel
	}
	return strings.TrimSpace(fmt.Sprintf("%s (%d)", n.CPUModel, n.CPUThreads))
}

func gpu(n ffrtmp.Node) string {
	if !n.HasGPU {
		return ""
	}
	return cmp.Or(n.GPUType, "yes")
}

// nodeCall is a method of client.Client that acts on a node, and returns it.
type nodeCall = func(*client.Client, context.Context, string, ...client.Option) (ffrtmp.Node, error)

// nodesVerb is a command that acts on one node and prints it.
func (c *command) nodesVerb(verb, short string, call nodeCall) *cobra.Command {
	return &cobra.Command{
		Use:   verb + " NODE",
		Short: short,
		Args:  exactly("NODE"),

		ValidArgsFunction: atFirst(c.nodeWords()),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
				var n ffrtmp.Node
				id, err := findNode(ctx, cl, args[0], c.reading.options()...)
				if err == nil {
					n, err = call(cl, ctx, id)
				}
				if err != nil {
					return fmt.Errorf("%s node %s: %w", verb, args[0], err)
				}
				return c.print(n, nodeFields(n))
			})
		},
	}
}

// drainPoll is how often drain --wait looks at the node.
const drainPoll = time.Second

func (c *command) nodesDrain() *cobra.Command {
	var deadline time.Duration
	var wait bool
	cmd := c.nodesVerb("drain", "Drain a node: finish running jobs, accept no new ones",
		func(cl *client.Client, ctx context.Context, id string, opts ...client.Option) (ffrtmp.Node, error) {
			n, err := cl.Drain(ctx, id, deadline, opts...)
			for err == nil && wait && len(n.Running) > 0 && n.Eligibility == ffrtmp.Draining {
				if err = ctxtime.Sleep(ctx, drainPoll); err == nil {
					n, err = cl.Node(ctx, id)
				}
			}
			if err == nil && wait && n.Eligibility != ffrtmp.Draining {
				err = fmt.Errorf("it is %s again", n.Eligibility)
			}
			return n, err
		})
	cmd.Long = `Drain a node: it finishes its running jobs and accepts no new ones.

  ffrtmp nodes drain NODE --deadline 10m --wait && reboot

After the deadline, what still runs is requeued on other nodes and uses up no retry; only
a job that is just publishing its output finishes. ffrtmp nodes uncordon NODE ends it.`
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if deadline < 0 || deadline > ffrtmp.MaxDrainDeadline {
			return flags.Usagef("--deadline: must be between 0 and %s, not %s", ffrtmp.MaxDrainDeadline, deadline)
		}
		return nil
	}
	cmd.Flags().DurationVar(&deadline, "deadline", 0,
		"requeue what still runs after this time (default: let it finish)")
	cmd.Flags().BoolVar(&wait, "wait", false, "return when the node runs nothing any more")
	return cmd
}

// findNode returns the id of the node that ref names.
func findNode(ctx context.Context, cl *client.Client, ref string, opts ...client.Option) (string, error) {
	if ffrtmp.IsID(ref) {
		return ref, nil
	}
	nodes, err := cl.Nodes(ctx, opts...)
	if err != nil {
		return "", err
	}
	var candidates []candidate
	for _, n := range nodes {
		candidates = append(candidates, candidate{id: n.ID, name: n.Name})
	}
	// A narrow terminal shows the beginning of an id with an ellipsis.
	return resolve(strings.TrimSuffix(ref, "…"), "node", "ffrtmp nodes list", candidates)
}

func nodeFields(n ffrtmp.Node) *cli.Fields {
	f := &cli.Fields{}
	f.Add("ID", n.ID)
	f.Add("Name", n.Name)
	f.Add("Address", n.Address)
	f.Add("Status", nodeStatus(n.Status))
	f.Add("Eligibility", eligibility(n.Eligibility))
	f.Add("Reason", n.EligibilityReason)
	if !n.EligibilityUntil.IsZero() {
		f.Add("Until", cli.Moment(n.EligibilityUntil))
	}
	f.Add("Jobs", slots(n))
	for _, a := range n.Running {
		f.Add("Running", fmt.Sprintf("%s, attempt %d", a.JobID, a.Attempt))
	}
	f.Add("Type", n.Type)
	f.Add("CPU", cpu(n))
	f.Add("Memory", cli.Size(n.RAMTotalBytes))
	f.Add("GPU", gpu(n))
	f.Add("GPU can", strings.Join(n.GPUCapabilities, ", "))
	f.Add("Encoders", strings.Join(n.Encoders, ", "))
	f.Add("Media roots", strings.Join(n.MediaRoots, ", "))
	f.Add("Labels", cli.Pairs(n.Labels))
	f.Add("Version", n.Version)
	if n.Legacy {
		f.Add("Protocol", "v2.2")
	}
	f.Add("Registered", cli.Moment(n.RegisteredAt))
	f.Add("Heartbeat", cli.Moment(n.LastHeartbeat))
	return f
}

func (c *command) nodesRemove() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "remove NODE",
		Short: "Remove a node",
		Args:  exactly("NODE"),

		ValidArgsFunction: atFirst(c.nodeWords()),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
				id, err := findNode(ctx, cl, args[0])
				if err == nil {
					err = cl.RemoveNode(ctx, id, force)
				}
				switch {
				case ffrtmp.CodeOf(err) == ffrtmp.Conflict && !force:
					return fmt.Errorf("remove node %s: %w (drain it first; --force if it never returns)", args[0], err)
				case err != nil:
					return fmt.Errorf("remove node %s: %w", args[0], err)
				}
				document := map[string]string{"status": "removed", "node_id": id}
				return c.print(document, cli.Line("Node "+args[0]+" removed."))
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "remove a busy node: requeue its jobs and refuse its results")
	return cmd
}
