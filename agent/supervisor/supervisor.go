// Package supervisor runs one ffmpeg so that it outlives the agent. The agent's
// own binary, started again as `agent supervise DIR` in a session of its own,
// holds ffmpeg's stdin, clocks and limits, and writes what happens into the
// attempt's directory. An agent that was killed finds it there again by pid and
// start time and goes on as if it had never been away.
//
// Files in the directory, mode 0600, each replaced by a rename or appended to:
//
//	config.json     what to run (holds secrets)
//	supervisor.json  the supervisor's pid, start time and boot id
//	ffmpeg.json      the same of ffmpeg, whose pid is also its process group
//	supervisor.log   the supervisor's own last words, if it has any
//	state.json       progress, paused, what ffmpeg said of its input
//	log.<offset>     ffmpeg's messages; the newest two segments are kept
//	exit.json        how it ended; written last, after the process group is gone
//	control          a Unix socket that takes one command a line
package supervisor

import (
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// Config is what to run and within what bounds.
type Config struct {
	Dir    string                `json:"-"`      // exists; one attempt each
	Name   string                `json:"name"`   // job and attempt, for messages
	FFmpeg string                `json:"ffmpeg"` // path of the program
	Plan   recipe.Plan           `json:"plan"`
	Limits ffrtmp.ResourceLimits `json:"limits"`
	// HangAfter is how long output time may stand still; 0 is DefaultHangAfter.
	HangAfter time.Duration `json:"hang_after"`
}

// DefaultHangAfter is how long output time may stand still before ffmpeg is hung.
const DefaultHangAfter = 60 * time.Second

// MaxLogBytes bounds the log of one attempt on disk; the tail is what is kept.
const MaxLogBytes = 1 << 20

// End is how a run ended.
type End string

// Ends. Lost means that nobody saw the end: the supervisor itself was killed, and
// ffmpeg with it.
const (
	Succeeded End = "succeeded" // ffmpeg returned 0 by itself; its output is not verified yet
	Failed    End = "failed"    // Reason and Error say why
	Stopped   End = "stopped"   // by Stop
	Lost      End = "lost"
)

// Exit is how a run ended and what it did until then.
type Exit struct {
	End       End                  `json:"end"`
	Reason    ffrtmp.FailureReason `json:"reason,omitempty"` // of Failed and Lost
	Error     string               `json:"error,omitempty"`  // one line for the job's error, without secrets
	Code      int                  `json:"code"`             // ffmpeg's exit status, -1 when a signal ended it
	StartedAt time.Time            `json:"started_at"`
	EndedAt   time.Time            `json:"ended_at"`
	Progress  ffrtmp.Progress      `json:"progress"` // the last
	Source    Source               `json:"source"`
	CPU       time.Duration        `json:"cpu"`           // user and system time of ffmpeg
	MaxRSS    int64                `json:"max_rss_bytes"` // of ffmpeg
}

// Source is what ffmpeg said of its input before it began.
type Source struct {
	Seconds   float64 `json:"seconds,omitempty"` // 0: unknown
	Estimated bool    `json:"estimated,omitempty"`
	Audio     bool    `json:"audio,omitempty"`
}

// State is how a run stands.
type State struct {
	Running  bool
	Paused   bool
	Progress ffrtmp.Progress
	Percent  int   // 0 to 99 while running; 0 when the duration is unknown
	LogSize  int64 // bytes ever written; what ReadLog may be asked for ends here
	Exit     *Exit // nil while running
}
