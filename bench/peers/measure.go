package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// result is one measurement.
type result struct {
	system    string
	clients   int
	perSecond float64 // values
	p50, p99  float64 // ms of a write
	cpu       float64 // µs of the three servers for a value
	writes    float64 // write system calls of the three servers for a value
}

// measureAll measures each system once with each number of clients, and then again: what
// else the machine does hits all of them.
func measureAll(ctx context.Context, s settings, systems []*system) (results []result, err error) {
	for run := range s.runs {
		for _, clients := range s.clients {
			for _, one := range systems {
				r, err := measure(ctx, s, one, clients)
				if err != nil {
					return nil, fmt.Errorf("%s with %d clients: %w", one.name, clients, err)
				}
				fmt.Fprintf(os.Stderr, "run %d: %s, %d clients: %.0f/s, %.0f us CPU\n", run+1, one.name, clients,
					r.perSecond, r.cpu)
				results = append(results, r)
			}
		}
	}
	return results, nil
}

func measure(ctx context.Context, s settings, one *system, clients int) (result, error) {
	if _, err := load(ctx, s.warmUp, one, clients); err != nil {
		return result{}, err
	}
	before, err := usageOf(one.pids)
	if err != nil {
		return result{}, err
	}
	start := time.Now()
	took, err := load(ctx, s.duration, one, clients)
	elapsed := time.Since(start)
	if err != nil {
		return result{}, err
	}
	after, err := usageOf(one.pids)
	if err != nil {
		return result{}, err
	}
	slices.Sort(took)
	values := float64(len(took) * one.values)
	return result{
		system: one.name, clients: clients, perSecond: values / elapsed.Seconds(),
		p50: quantile(took, 0.5), p99: quantile(took, 0.99),
		cpu:    float64((after.cpu - before.cpu).Microseconds()) / values,
		writes: float64(after.writes-before.writes) / values,
	}, nil
}

// load lets clients write for a time, each as soon as its last write is acknowledged.
func load(ctx context.Context, duration time.Duration, one *system, clients int) (took []time.Duration, err error) {
	end := time.Now().Add(duration)
	var mu sync.Mutex
	var group sync.WaitGroup
	for i := range clients {
		group.Go(func() {
			mine, failed := repeat(ctx, one.writer(i), end)
			mu.Lock()
			defer mu.Unlock()
			took, err = append(took, mine...), errors.Join(err, failed)
		})
	}
	group.Wait()
	if len(took) == 0 && err == nil {
		err = errors.New("no write was acknowledged in time")
	}
	return took, err
}

func repeat(ctx context.Context, do write, end time.Time) (took []time.Duration, err error) {
	for start := time.Now(); start.Before(end); {
		if err := do(ctx); err != nil {
			return took, err
		}
		now := time.Now()
		took = append(took, now.Sub(start))
		start = now
	}
	return took, nil
}

// quantile of sorted times, in milliseconds.
func quantile(sorted []time.Duration, q float64) float64 {
	return sorted[int(q*float64(len(sorted)-1))].Seconds() * 1000
}

// usage is what processes have used since they began.
type usage struct {
	cpu    time.Duration // in the kernel, too
	writes int64         // write system calls
}

// tick is the unit of times in /proc/PID/stat; Linux fixes it for all programs.
const tick = 10 * time.Millisecond

func usageOf(pids []int) (sum usage, err error) {
	for _, pid := range pids {
		fields, err := statOf(pid)
		if err != nil {
			return sum, err
		}
		for _, text := range fields[11:13] { // user and system time
			ticks, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return sum, err
			}
			sum.cpu += time.Duration(ticks) * tick
		}
		writes, err := writesOf(pid)
		if err != nil {
			return sum, err
		}
		sum.writes += writes
	}
	return sum, nil
}

// statOf returns the fields of /proc/PID/stat behind the program's name, which may hold
// anything.
func statOf(pid int) ([]string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:])), nil
}

func writesOf(pid int) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if count, ok := strings.CutPrefix(line, "syscw: "); ok {
			return strconv.ParseInt(strings.TrimSpace(count), 10, 64)
		}
	}
	return 0, errors.New("the kernel counts no writes")
}

// childrenOf returns the children of a process that run this program.
func childrenOf(parent int, program string) (pids []int, err error) {
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		comm, err := os.ReadFile(name)
		if err != nil || strings.TrimSpace(string(comm)) != program {
			continue // it has ended meanwhile, or is another
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			return nil, err
		}
		if fields, err := statOf(pid); err == nil && fields[1] == strconv.Itoa(parent) {
			pids = append(pids, pid)
		}
	}
	if len(pids) != members {
		return nil, fmt.Errorf("got %d processes %q, want %d", len(pids), program, members)
	}
	return pids, nil
}
