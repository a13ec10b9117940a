package fsm

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp"
)

// Bounds of group commit.
const (
	maxBatch      = 512       // commands in an entry
	maxBatchBytes = 512 << 10 // of an entry, unless one command alone is larger
	maxInFlight   = 2         // entries of a lane
	minSecond     = 64        // commands that are worth a second entry in flight
	maxBulk       = 1         // of them with bulk commands
	bulkBytes     = 32 << 10  // minimum size of a bulk command
	maxQueued     = 16384     // commands in a lane
)

// applyLimit bounds the wait for an entry, in case the log hangs. Without a majority,
// Raft reports lost leadership sooner.
const applyLimit = 30 * time.Second

// Log replicates entries; in a master it is Raft's. The response is that of
// ApplyBatch.
type Log interface {
	Apply(ctx context.Context, data []byte) (index uint64, response any, err error)
}

// batcher coalesces concurrent commands into few log entries. It never waits for
// more: an entry holds what was queued while earlier entries were in flight. Bulk
// commands, such as batches of jobs, have a lane of their own: a claim or a result waits
// for at most one entry of them.
type batcher struct {
	log Log

	mu          sync.Mutex
	small, bulk lane
}

// lane is a queue of commands that share entries.
type lane struct {
	queue    []*proposal
	inFlight int // entries
}

// lane returns the lane of a command, and how many entries of it may be in flight.
func (b *batcher) lane(data []byte) (l *lane, limit int) {
	if len(data) >= bulkBytes {
		return &b.bulk, maxBulk
	}
	return &b.small, maxInFlight
}

// worthSending reports whether what is queued should be sent while other entries are in
// flight. Every entry costs the same syncs, messages and commits on all masters: a few
// commands share the next one instead.
func (l *lane) worthSending(limit int) bool {
	return l.inFlight == 0 || l.inFlight < limit && len(l.queue) >= minSecond
}

// proposal is a queued or proposed command.
type proposal struct {
	data    []byte
	state   proposalState // guarded by the batcher's mutex
	outcome chan outcome  // buffered, for one outcome
}

type proposalState int

const (
	queued proposalState = iota
	proposed
	withdrawn
)

type outcome struct {
	index  uint64
	result any
	err    error
}

// propose returns the result of a command once it is applied here. When ctx ends
// earlier, a queued command is withdrawn and is safe to retry; the outcome of a
// proposed one is unknown.
func (b *batcher) propose(ctx context.Context, data []byte) (uint64, any, error) {
	p := &proposal{data: data, outcome: make(chan outcome, 1)}
	l, limit := b.lane(data)
	b.mu.Lock()
	if len(l.queue) >= maxQueued {
		b.mu.Unlock()
		return 0, nil, ffrtmp.Errorf(ffrtmp.RateLimited, "command queue is full (%d waiting)", maxQueued)
	}
	l.queue = append(l.queue, p)
	if l.worthSending(limit) {
		l.inFlight++
		go b.send(l) //nolint:contextcheck // an entry carries the commands of others, too
	}
	b.mu.Unlock()
	select {
	case o := <-p.outcome:
		return o.index, o.result, o.err
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.state == queued {
		p.state = withdrawn
		return 0, nil, ffrtmp.Errorf(ffrtmp.NoLeader, "command not proposed in time: %w", ctx.Err())
	}
	return 0, nil, ffrtmp.Errorf(ffrtmp.UnknownOutcome,
		"the command was proposed, but its outcome did not come in time: %w", ctx.Err())
}

// gatherRounds bounds how often gather lets other goroutines run.
const gatherRounds = 8

// gather lets goroutines that are ready to run queue their commands, as long as some do:
// every entry costs the same work on all masters, however many commands it has. Without
// others it returns at once.
func (b *batcher) gather(l *lane) {
	before := -1
	for range gatherRounds {
		b.mu.Lock()
		n := len(l.queue)
		b.mu.Unlock()
		if n == before || n == 0 || n >= maxBatch {
			return
		}
		before = n
		runtime.Gosched()
	}
}

// send proposes entries until the lane is empty, and ends.
func (b *batcher) send(l *lane) {
	for {
		b.gather(l)
		batch := b.take(l)
		if batch == nil {
			return
		}
		data := make([][]byte, len(batch))
		for i, p := range batch {
			data[i] = p.data
		}
		// Without a command's own context, which would cancel the others.
		ctx, cancel := context.WithTimeout(context.Background(), applyLimit)
		index, response, err := b.log.Apply(ctx, encodeEntry(data))
		cancel()
		results, ok := response.([]any)
		switch {
		case err != nil:
			err = outcomeError(err)
		case !ok || len(results) != len(batch):
			err = ffrtmp.Errorf(ffrtmp.UnknownOutcome, "entry %d: got %T for %d commands", index, response,
				len(batch))
		}
		for i, p := range batch {
			if err != nil {
				p.outcome <- outcome{err: err}
				continue
			}
			p.outcome <- outcome{index: index, result: results[i]}
		}
	}
}

// proposeAlone proposes a command in an entry of its own, at once.
func (b *batcher) proposeAlone(ctx context.Context, data []byte) (uint64, any, error) {
	index, response, err := b.log.Apply(ctx, encodeEntry([][]byte{data}))
	if err != nil {
		return 0, nil, outcomeError(err)
	}
	results, ok := response.([]any)
	if !ok || len(results) != 1 {
		return 0, nil, ffrtmp.Errorf(ffrtmp.UnknownOutcome, "entry %d: got %T for 1 command", index, response)
	}
	return index, results[0], nil
}

// take removes the next batch from a lane. A nil batch ends the sender.
func (b *batcher) take(l *lane) []*proposal {
	b.mu.Lock()
	defer b.mu.Unlock()
	var batch []*proposal
	if l.inFlight > 1 && len(l.queue) < minSecond { // the other sender takes them
		l.inFlight--
		return nil
	}
	size, used := 0, 0
	for _, p := range l.queue {
		if len(batch) == maxBatch || len(batch) > 0 && size+len(p.data) > maxBatchBytes {
			break
		}
		used++
		if p.state == withdrawn {
			continue
		}
		p.state = proposed
		size += len(p.data)
		batch = append(batch, p)
	}
	clear(l.queue[:used])
	if l.queue = l.queue[used:]; len(l.queue) == 0 {
		l.queue = nil
	}
	if batch == nil {
		l.inFlight--
	}
	return batch
}

// outcomeError converts a proposal's error: NoLeader if it is safe to retry.
func outcomeError(err error) error {
	for _, before := range []error{raft.ErrNotLeader, raft.ErrLeadershipTransferInProgress, raft.ErrEnqueueTimeout} {
		if errors.Is(err, before) {
			return &ffrtmp.Error{Code: ffrtmp.NoLeader, Message: "this master does not lead", Err: err}
		}
	}
	return &ffrtmp.Error{
		Code: ffrtmp.UnknownOutcome, Message: "leadership was lost before the outcome was known",
		Err: fmt.Errorf("propose: %w", err),
	}
}
