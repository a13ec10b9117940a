// Package recipe turns what a job asks for into the arguments of one ffmpeg run.
// Arguments come from a closed set of recipes; nothing that a user wrote reaches
// ffmpeg unless it was parsed and checked by package job first, and no file is
// named by its path: ffmpeg inherits open files (see Plan).
package recipe

import "ffrtmp/agent/media"

// Files that ffmpeg inherits, by number. Opening them here, not in ffmpeg, means
// that what was checked against the media roots is what is read and written,
// whatever happens to links and directories in between.
const (
	ProgressFD = 3 // write end of a pipe, for -progress
	InputFD    = 4
	OutputFD   = 5
	OptionsFD  = 6
)

// Plan is one ffmpeg run. It holds secrets (the input's URL, the stream key) and
// is stored only in files of mode 0600.
type Plan struct {
	Args    []string    `json:"args"`              // without the program's name
	Input   *media.File `json:"input,omitempty"`   // opened for reading as InputFD
	Work    *media.File `json:"work,omitempty"`    // created as OutputFD
	Final   *media.File `json:"final,omitempty"`   // what Work becomes once it is published
	URL     string      `json:"url,omitempty"`     // http(s) input: fetched through the guard of package egress
	Options string      `json:"options,omitempty"` // lines of name=value read from OptionsFD: what must not be on a command line
	Secrets []string    `json:"secrets,omitempty"` // never to appear in a log
	Live    bool        `json:"live,omitempty"`    // streams to a server
	Want    Want        `json:"want"`
}

// Want is what the output must be for the run to count as a success.
type Want struct {
	Codec   string  `json:"codec"` // ffprobe's name: h264, hevc, vp9, av1
	Width   int     `json:"width,omitempty"`
	Height  int     `json:"height"`
	FPS     float64 `json:"fps,omitempty"`     // 0: the source's
	Seconds float64 `json:"seconds,omitempty"` // upper bound; 0: the whole input
	Audio   string  `json:"audio,omitempty"`   // ffprobe's name, when the source has sound
	Pattern bool    `json:"pattern,omitempty"` // a test pattern: sound and duration are certain
}
