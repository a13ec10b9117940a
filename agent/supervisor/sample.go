package supervisor

import (
	"strconv"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// sampleEvery is the shortest time between two points of a series.
const sampleEvery = 2 * time.Second

// sampler makes the series of a run out of ffmpeg's progress. When it has ffrtmp.MaxPoints, each two become one and the
// time between points doubles.
type sampler struct {
	series ffrtmp.Series
	every  time.Duration
	last   sample
	bytes  int64 // of the output, as last reported
}

// sample is what ffmpeg had done at a time.
type sample struct {
	at      time.Duration // since the start
	frame   int64
	seconds float64 // of the output
	bytes   int64
}

// take handles one line of ffmpeg's progress; at is the time since its start.
func (s *sampler) take(line string, at time.Duration, p *ffrtmp.Progress) {
	name, value, _ := strings.Cut(line, "=")
	switch name {
	case "total_size":
		if n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil {
			s.bytes = n
		}
	case "progress": // the last line of a report
		s.every = max(s.every, sampleEvery)
		if now := (sample{at, p.Frame, p.OutTimeSeconds, s.bytes}); at-s.last.at >= s.every {
			s.add(now)
		}
	}
}

// resume leaves a pause out.
func (s *sampler) resume(at time.Duration) { s.last.at = at }

func (s *sampler) add(now sample) {
	elapsed := (now.at - s.last.at).Seconds()
	played := max(0, now.seconds-s.last.seconds)
	kilobits := 0.0
	if played > 0 {
		kilobits = max(0, float64(now.bytes-s.last.bytes)) * 8 / 1000 / played
	}
	l := &s.series
	l.Seconds = append(l.Seconds, int(now.at.Seconds()))
	l.FPS = append(l.FPS, max(0, float64(now.frame-s.last.frame))/elapsed)
	l.Speed = append(l.Speed, played/elapsed)
	l.Kilobits = append(l.Kilobits, kilobits)
	s.last = now
	if len(l.Seconds) >= ffrtmp.MaxPoints {
		s.halve()
	}
}

// halve makes one point of each two.
func (s *sampler) halve() {
	l := &s.series
	half := len(l.Seconds) / 2
	for i := range half {
		l.Seconds[i] = l.Seconds[2*i+1]
	}
	l.Seconds = l.Seconds[:half]
	for _, list := range []*[]float64{&l.FPS, &l.Speed, &l.Kilobits} {
		for i := range half {
			(*list)[i] = ((*list)[2*i] + (*list)[2*i+1]) / 2
		}
		*list = (*list)[:half]
	}
	s.every *= 2
}

// result returns the series, or nil when the run was too short for one.
func (s *sampler) result() *ffrtmp.Series {
	if len(s.series.Seconds) == 0 {
		return nil
	}
	return &s.series
}
