package e2e

import (
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// A dead follower, leader or cluster does not touch ffmpeg: one attempt, one process, one result.
func TestMasters_DieDuringEncode(t *testing.T) {
	tests := []struct {
		name string
		kill func(*site) []*devcluster.Master
	}{
		{"a follower", func(s *site) []*devcluster.Master {
			return []*devcluster.Master{s.Master(s.follower())}
		}},
		{"the leader", func(s *site) []*devcluster.Master {
			return []*devcluster.Master{s.Master(s.leader())}
		}},
		{"all of them", func(s *site) []*devcluster.Master { return s.Masters() }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, devcluster.Options{Masters: 3, Agents: 1})
			film := newSource(t)
			id := s.submit(film.encode("out.mp4", nil)).ID
			made := frames(s.encoding(id, 1))
			before := s.ffmpeg(s.Agent(0))

			killed := test.kill(s)
			for _, m := range killed {
				m.Kill()
			}
			for _, m := range killed {
				s.must(m.Start())
			}
			s.must(s.WaitReady(s.soon()))
			s.until(id, "making progress", func(j ffrtmp.Job) bool { return frames(j) > made })
			s.sameFFmpeg(s.Agent(0), before)
			film.release()
			j := s.finished(id)
			s.checkFilm(j, "out.mp4")
			s.oneAttempt(j)
		})
	}
}

// An encode that ends while no master runs is handed in when one is back.
func TestMasters_EncodeEndsWithoutThem(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3, Agents: 1})
	film := newSource(t)
	id := s.submit(film.encode("out.mp4", nil)).ID
	s.encoding(id, 1)
	for _, m := range s.Masters() {
		m.Kill()
	}
	film.release()
	s.eventually("ffmpeg ends", func() bool { return len(s.ffmpegs(s.Agent(0))) == 0 })
	if left := s.workFiles(); len(left) != 1 {
		t.Errorf("got work files %q, want one: nothing published, nothing deleted", left)
	}
	s.must(s.Start(s.soon()))
	j := s.finished(id)
	s.checkFilm(j, "out.mp4")
	s.oneAttempt(j)
}
