package api

import (
	"math"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// histogram counts times by their size: each bin reaches to 2^(1/4) times the one before, from 50 ms to ten days.
type histogram [97]uint32

const (
	firstBin    = 0.05 // seconds
	binsPerFold = 4    // bins until twice the time
)

func (h *histogram) add(d time.Duration) {
	i := math.Ceil(binsPerFold * math.Log2(max(d, 1).Seconds()/firstBin))
	h[int(min(max(i, 0), float64(len(h)-1)))]++ // of 0 and less: the first
}

func (h *histogram) merge(other *histogram) {
	for i, n := range other {
		h[i] += n
	}
}

// percentiles returns the upper ends of the bins that hold them.
func (h *histogram) percentiles() ffrtmp.Percentiles {
	p := ffrtmp.Percentiles{}
	for _, n := range h {
		p.Count += int(n)
	}
	p.P50, p.P90, p.P99 = h.at(0.5, p.Count), h.at(0.9, p.Count), h.at(0.99, p.Count)
	return p
}

// at returns the time that a share of all times does not exceed, 0 when there are none.
func (h *histogram) at(share float64, count int) float64 {
	if count == 0 {
		return 0
	}
	left := int(math.Ceil(share * float64(count)))
	for i, n := range h {
		if left -= int(n); left <= 0 {
			return math.Round(1000*firstBin*math.Exp2(float64(i)/binsPerFold)) / 1000
		}
	}
	return 0
}
