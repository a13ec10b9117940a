package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
)

func (c *command) nodes() *cobra.Command {
	return group("nodes", "Look at the machines that run jobs, and take them in and out of service",
		c.nodesList(), c.nodesDescribe(), c.nodesRemove(),
		c.nodesPlace("drain", "Give a node nothing new until it is empty", (*client.Client).Drain),
		c.nodesPlace("cordon", "Give a node nothing new", (*client.Client).Cordon),
		c.nodesPlace("uncordon", "Give a node jobs again", (*client.Client).Uncordon))
}

func (c *command) nodesList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List nodes",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			nodes, err := cl.Nodes(cmd.Context())
			if err != nil {
				return fmt.Errorf("list nodes: %w", err)
			}
			if nodes == nil {
				nodes = []ffrtmp.Node{}
			}
			list := ffrtmp.NodeList{Nodes: nodes, Count: len(nodes)}
			if len(nodes) == 0 {
				return c.print(list, cli.Line("No nodes."))
			}
			return c.print(list, nodeTable(nodes), cli.Line(cli.Count(len(nodes), "node")+"."))
		},
	}
}

func nodeTable(nodes []ffrtmp.Node) *cli.Table {
	t := cli.NewTable("ID~", "NAME~", "STATUS", "ELIGIBILITY", "JOBS<", "TYPE?", "CPU~?", "MEMORY<?", "GPU~?", "HEARTBEAT<")
	for _, n := range nodes {
		t.Add(n.ID, n.Name, nodeStatus(n.Status), eligibility(n.Eligibility), jobsOf(n), n.Type, cpu(n), cli.Size(n.RAMTotalBytes), gpu(n), cli.Age(n.LastHeartbeat))
	}
	return t
}

func nodeStatus(s ffrtmp.NodeStatus) cli.Cell {
	return cli.Coloured(string(s), map[ffrtmp.NodeStatus]cli.Colour{ffrtmp.NodeAvailable: cli.Green, ffrtmp.NodeBusy: cli.Cyan, ffrtmp.NodeOffline: cli.Red}[s])
}

func eligibility(e ffrtmp.Eligibility) cli.Cell {
	if e == ffrtmp.Eligible {
		return cli.Coloured(string(e), "")
	}
	return cli.Coloured(string(e), cli.Yellow)
}

func jobsOf(n ffrtmp.Node) string {
	slots := "-"
	if n.MaxConcurrentJobs > 0 {
		slots = strconv.Itoa(n.MaxConcurrentJobs)
	}
	return fmt.Sprintf("%d/%s", len(n.Running), slots)
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

func (c *command) nodesDescribe() *cobra.Command {
	return &cobra.Command{
		Use:   "describe NODE",
		Short: "Show a node, by id, unambiguous beginning of it, or name",
		Args:  exactly("NODE"),

		ValidArgsFunction: atFirst(c.nodeWords()),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withNode(cmd.Context(), args[0], "describe", func(cl *client.Client, id string) (ffrtmp.Node, error) {
				return cl.Node(cmd.Context(), id)
			})
		},
	}
}

// withNode carries something out on the node that name stands for and prints it.
func (c *command) withNode(ctx context.Context, name, verb string, do func(*client.Client, string) (ffrtmp.Node, error)) error {
	cl, err := c.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	id, err := findNode(ctx, cl, name)
	if err != nil {
		return fmt.Errorf("%s node %s: %w", verb, name, err)
	}
	n, err := do(cl, id)
	if err != nil {
		return fmt.Errorf("%s node %s: %w", verb, name, err)
	}
	return c.print(n, nodeFields(n))
}

// findNode returns the id of the node that name stands for.
func findNode(ctx context.Context, cl *client.Client, name string) (string, error) {
	if ffrtmp.IsID(name) {
		return name, nil
	}
	// As a narrow terminal shows it.
	name = strings.TrimSuffix(name, "…")
	nodes, err := cl.Nodes(ctx)
	if err != nil {
		return "", err
	}
	var found []string
	for _, n := range nodes {
		if n.ID == name {
			return n.ID, nil
		}
		if n.Name == name || len(name) >= 4 && strings.HasPrefix(n.ID, name) {
			found = append(found, n.ID)
		}
	}
	switch len(found) {
	case 0:
		return "", ffrtmp.Errorf(ffrtmp.NotFound, "no node has this id or name (see ffrtmp nodes list)")
	case 1:
		return found[0], nil
	}
	return "", ffrtmp.Errorf(ffrtmp.Conflict, "several nodes are called that: %s; use an id", strings.Join(found, ", "))
}

func nodeFields(n ffrtmp.Node) *cli.Fields {
	f := &cli.Fields{}
	f.Add("ID", n.ID)
	f.Add("Name", n.Name)
	f.Add("Address", n.Address)
	f.Add("Status", nodeStatus(n.Status))
	f.Add("Eligibility", eligibility(n.Eligibility))
	f.Add("Jobs", jobsOf(n))
	for _, a := range n.Running {
		f.Add("Running", fmt.Sprintf("%s, attempt %d", a.JobID, a.Attempt))
	}
	f.Add("Type", n.Type)
	f.Add("CPU", cpu(n))
	f.Add("Memory", cli.Size(n.RAMTotalBytes))
	f.Add("GPU", gpu(n))
	f.Add("GPU can", strings.Join(n.GPUCapabilities, ", "))
	f.Add("Encoders", strings.Join(n.Encoders, ", "))
	f.Add("Labels", cli.Pairs(n.Labels))
	f.Add("Version", n.Version)
	if n.Legacy {
		f.Add("Protocol", "v2.2")
	}
	f.Add("Registered", cli.Moment(n.RegisteredAt))
	f.Add("Heartbeat", cli.Moment(n.LastHeartbeat))
	return f
}

func (c *command) nodesPlace(verb, short string, do func(*client.Client, context.Context, string, ...client.Option) (ffrtmp.Node, error)) *cobra.Command {
	return &cobra.Command{
		Use:   verb + " NODE",
		Short: short,
		Args:  exactly("NODE"),

		ValidArgsFunction: atFirst(c.nodeWords()),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withNode(cmd.Context(), args[0], verb, func(cl *client.Client, id string) (ffrtmp.Node, error) {
				return do(cl, cmd.Context(), id)
			})
		},
	}
}

func (c *command) nodesRemove() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "remove NODE",
		Short: "Forget a node that is gone",
		Args:  exactly("NODE"),

		ValidArgsFunction: atFirst(c.nodeWords()),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			id, err := findNode(cmd.Context(), cl, args[0])
			if err != nil {
				return fmt.Errorf("remove node %s: %w", args[0], err)
			}
			err = cl.RemoveNode(cmd.Context(), id, force)
			if ffrtmp.CodeOf(err) == ffrtmp.Conflict && !force {
				return fmt.Errorf("remove node %s: %w (drain it first, or use --force if it will never come back)", args[0], err)
			}
			if err != nil {
				return fmt.Errorf("remove node %s: %w", args[0], err)
			}
			return c.print(map[string]string{"status": "removed", "node_id": id}, cli.Line("Node "+args[0]+" removed."))
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "even if it is busy: what it holds is queued again, and its results are refused")
	return cmd
}
