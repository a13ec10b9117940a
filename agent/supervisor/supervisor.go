// Package supervisor runs one ffmpeg so that it survives the agent. The agent's own
// binary, started again as `agent supervise DIR` in a session of its own, holds
// ffmpeg's stdin, clocks and limits, and records the run in the attempt's
// directory. A new agent finds the supervisor by pid and start time and continues.
//
// Files in the directory, mode 0600, each replaced by a rename or appended to:
//
//	config.json     what to run (holds secrets)
//	supervisor.json  the supervisor's pid, start time and boot id
//	ffmpeg.json      the same of ffmpeg, whose pid is also its process group
//	supervisor.log   the supervisor's stderr, normally empty
//	state.json       progress, paused, what ffmpeg reported about its input
//	pass*            what the first of two passes measured, written and read by ffmpeg
//	log.<offset>     ffmpeg's messages; the newest two segments are kept
//	exit.json        how it ended; written last, after the process group has ended
//	control          a Unix socket that takes one command a line
package supervisor

import (
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// Config is what to run and its limits.
type Config struct {
	Dir    string                `json:"-"`      // must exist; one run each
	Name   string                `json:"name"`   // job and attempt, for messages
	FFmpeg string                `json:"ffmpeg"` // path of the program
	Plan   recipe.Plan           `json:"plan"`
	Limits ffrtmp.ResourceLimits `json:"limits"`
	Strict bool                  `json:"strict,omitempty"` // errors while decoding fail the run
	Input  *ffrtmp.MediaFile     `json:"input,omitempty"`  // for the result; nil: nobody has looked
	// HangAfter is how long ffmpeg may make no progress; 0 means DefaultHangAfter.
	HangAfter time.Duration `json:"hang_after"`
}

// DefaultHangAfter is how long ffmpeg may make no progress before it counts as hung.
const DefaultHangAfter = 60 * time.Second

// MaxLogBytes bounds the log of one attempt on disk; the tail is kept.
const MaxLogBytes = 1 << 20

// End is how a run ended.
type End string

// Ends. Lost means that the supervisor was killed, and ffmpeg with it.
const (
	Succeeded End = "succeeded" // ffmpeg returned 0; its output is not verified yet
	Failed    End = "failed"    // Reason and Error say why
	Stopped   End = "stopped"   // by Stop
	Lost      End = "lost"
)

// Exit is how a run ended and what it had done.
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
	Warnings  []string             `json:"warnings,omitempty"`
	Series    *ffrtmp.Series       `json:"series,omitempty"`

	Loudness []ffrtmp.TrackLoudness `json:"loudness,omitempty"` // of the tracks that were normalized
}

// Source is what ffmpeg reported about its input.
type Source struct {
	Seconds   float64 `json:"seconds,omitempty"` // 0: unknown
	Estimated bool    `json:"estimated,omitempty"`
	Audio     bool    `json:"audio,omitempty"`
}

// State is the current state of a run.
type State struct {
	Running  bool
	Paused   bool
	Progress ffrtmp.Progress
	Percent  int   // 0 to 99 while running; 0 when the duration is unknown
	LogSize  int64 // bytes ever written: the end of what ReadLog can return
	Exit     *Exit // nil while running
}
