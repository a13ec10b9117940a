package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// A canceled job's ffmpeg ends; TestChaos_CancelInTwoSeconds measures how soon.
func TestCancel_StopsFFmpeg(t *testing.T) { cancelJobs(t) }

// cancelJobs cancels running jobs and returns the longest time from the acknowledgement to the end of ffmpeg.
func cancelJobs(t *testing.T) (longest time.Duration) {
	t.Helper()
	s := start(t, devcluster.Options{Masters: 3, Agents: 1})
	follower := s.Master(s.follower()).URL()
	for _, parameters := range []map[string]any{
		{"output_mode": "null", "duration": 3600, "preset": "veryslow"},
		{"output": "out.mp4", "duration": 3600, "preset": "ultrafast"},
	} {
		id := s.submit(pattern("720p30-h264", parameters)).ID
		s.encoding(id, 1)
		s.ffmpeg(s.Agent(0))
		s.wire().call(t, "POST", follower+"/jobs/"+id+"/cancel", "").want(t, 200)
		// Measured from the acknowledgement: before that, a busy disk counts.
		took := s.within(patience, "ffmpeg ends after a cancel", func() bool {
			return len(s.ffmpegs(s.Agent(0))) == 0
		})
		t.Logf("ffmpeg ended %s after the cancel", took.Round(time.Millisecond))
		longest = max(longest, took)
		j := s.look(id)
		if j.Status != ffrtmp.Canceled || !slices.Equal(outcomes(j), []ffrtmp.Outcome{ffrtmp.AttemptCanceled}) {
			t.Errorf("got job %s with attempts %+v, want one canceled", j.Status, j.Attempts)
		}
		s.eventually("its work file is gone", func() bool { return len(s.workFiles()) == 0 })
		s.eventually("the log contains ffmpeg's output", func() bool { return len(s.look(id).Logs) > 0 })
	}
	return longest
}

// A paused job's ffmpeg stays stopped past the lease and continues on resume.
func TestPause_StopsFFmpegUntilResume(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3, Agents: 1, MasterArgs: shortLeases})
	film := newSource(t)
	id := s.submit(film.encode("out.mp4", nil)).ID
	s.encoding(id, 1)
	before := s.ffmpeg(s.Agent(0))
	stopped := func() bool { p := s.ffmpeg(s.Agent(0)); return p.state == 'T' && p.pid == before.pid }

	s.must(s.client.Pause(s.soon(), id))
	s.eventually("ffmpeg is stopped", stopped)
	s.steadily(4*time.Second, "ffmpeg stays stopped past the lease", func() bool {
		return stopped() && s.look(id).Status == ffrtmp.Paused
	})
	made := frames(s.look(id))
	s.must(s.client.Resume(s.soon(), id))
	s.eventually("ffmpeg continues", func() bool { return !stopped() })
	s.until(id, "making progress", func(j ffrtmp.Job) bool { return j.Status == ffrtmp.Running && frames(j) > made })
	film.release()
	j := s.finished(id)
	s.checkFilm(j, "out.mp4")
	s.oneAttempt(j)
}
