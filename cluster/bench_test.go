package cluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/raft"
)

// BenchmarkApply commits entries through three masters on disk in one process.
// An entry of 512 commands is what the proposer's group commit makes.
func BenchmarkApply(b *testing.B) {
	for _, commands := range []int{1, 512} {
		for _, proposers := range []int{1, 2, 16} {
			b.Run(fmt.Sprintf("commands=%d/proposers=%d", commands, proposers), func(b *testing.B) {
				masters := form(b, 3)
				l := leader(b, masters...)
				for _, m := range masters {
					m.sm.blind.Store(true)
				}
				data := make([]byte, commands*512)
				var left atomic.Int64
				left.Store(int64(b.N))
				b.ResetTimer()
				var wg sync.WaitGroup
				for range proposers {
					wg.Go(func() {
						for left.Add(-1) >= 0 {
							if _, _, err := l.Apply(context.Background(), data); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.StopTimer()
				b.ReportMetric(float64(b.N*commands)/b.Elapsed().Seconds(), "commands/s")
			})
		}
	}
}

// BenchmarkStoreLogs appends to the log, and to bbolt without journal and checksums.
func BenchmarkStoreLogs(b *testing.B) {
	for _, size := range []int{512, 512 * 512} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			d, err := openDiskStore(b.TempDir()+"/raft.db", &writeClock{}, func(error) {})
			if err != nil {
				b.Fatal(err)
			}
			defer d.close()
			data, index := make([]byte, size), uint64(0)
			next := func() *raft.Log {
				index++
				return &raft.Log{Index: index, Term: 1, Type: raft.LogCommand, Data: data}
			}
			b.SetBytes(int64(size))
			b.Run("log", func(b *testing.B) {
				for b.Loop() {
					if err := d.StoreLog(next()); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("bbolt", func(b *testing.B) {
				for b.Loop() {
					if err := d.bolt.StoreLog(next()); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
