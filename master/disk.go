package master

import (
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

var (
	descDiskFree = prometheus.NewDesc("ffmpeg_master_disk_free_bytes",
		"Free bytes on the file system that holds this master's state and log.", nil, nil)
	descDiskSize = prometheus.NewDesc("ffmpeg_master_disk_size_bytes",
		"Size of the file system that holds this master's state and log.", nil, nil)
)

// disk exports how full the file system of a directory is.
type disk string

// Describe implements prometheus.Collector.
func (d disk) Describe(ch chan<- *prometheus.Desc) { ch <- descDiskFree; ch <- descDiskSize }

// Collect implements prometheus.Collector. What cannot be read is left out.
func (d disk) Collect(ch chan<- prometheus.Metric) {
	var stat unix.Statfs_t
	if err := unix.Statfs(string(d), &stat); err != nil {
		return
	}
	send := func(desc *prometheus.Desc, blocks uint64) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(blocks)*float64(stat.Bsize))
	}
	send(descDiskFree, stat.Bavail)
	send(descDiskSize, stat.Blocks)
}
