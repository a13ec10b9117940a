package v22

import (
	"context"
	"errors"
	"iter"

	"github.com/ffrtmp/ffrtmp"
)

// Node is a row of the table nodes. Its field Node is the translation, valid without Err.
type Node struct {
	ID     string
	Status string // as v2.2 names it
	Node   ffrtmp.ImportedNode
	Err    error
}

var nodeColumns = []string{
	"id", "name", "address", "type", "cpu_threads", "cpu_model", "has_gpu", "gpu_type", "gpu_capabilities",
	"ram_total_bytes", "labels", "status", "last_heartbeat", "registered_at",
}

// Nodes returns the nodes, oldest first, up to the first error.
func (d *Database) Nodes(ctx context.Context) iter.Seq2[Node, error] {
	return translated(d.records(ctx, "nodes", "registered_at", nodeColumns), func(r record) Node {
		n, err := r.node()
		return Node{ID: r["id"], Status: r["status"], Node: n, Err: err}
	})
}

func (r record) node() (ffrtmp.ImportedNode, error) {
	n := ffrtmp.ImportedNode{ID: r["id"], Registration: ffrtmp.Registration{
		Machine: ffrtmp.Machine{
			Name:     r["name"],
			Address:  r["address"],
			Type:     r["type"],
			CPUModel: r["cpu_model"],
			HasGPU:   r["has_gpu"] == "1" || r["has_gpu"] == "t",
			GPUType:  r["gpu_type"],
		},
	}}
	threads, err := r.int("cpu_threads")
	n.CPUThreads = int(threads)
	ram, err2 := r.int("ram_total_bytes")
	n.RAMTotalBytes = ram
	registered, err3 := r.time("registered_at")
	heartbeat, err4 := r.time("last_heartbeat")
	n.RegisteredAt, n.LastHeartbeat = firstOf(registered, heartbeat), firstOf(heartbeat, registered)
	return n, errors.Join(err, err2, err3, err4,
		r.json("gpu_capabilities", &n.GPUCapabilities), r.json("labels", &n.Labels))
}
