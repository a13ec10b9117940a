// Package recipe builds the arguments of an ffmpeg run from a job. Arguments come from
// a closed set of recipes; user input reaches ffmpeg only after package ffrtmp has
// parsed and checked it. ffmpeg never sees a user's path or URL: it inherits open files
// and connects to loopback endpoints. The package does no I/O, so a master can show
// the command that an agent would run.
package recipe

import (
	"path"
	"slices"
)

// Files that ffmpeg inherits, by number. They are opened by the agent, so ffmpeg reads
// and writes exactly what was checked against the media roots, even if links or
// directories change meanwhile.
const (
	ProgressFD = 3 // write end of a pipe, for -progress
	InputFD    = 4
	OutputFD   = 5
	OptionsFD  = 6
	PassFD     = 7 // the directory of the first pass's log

	WatermarkFD = 8
	PlaylistFD  = 9
	PictureFD   = 10

	LastFD    = PictureFD
	SidecarFD = LastFD + 1 // of the first sidecar; the others follow
)

// Placeholders for the address of an endpoint, which is known only once it is open.
const (
	SourceAddress = "endpoint:source"
	TargetAddress = "endpoint:target"
)

// File is a file below a media root. It is a name: package media opens it.
type File struct {
	Root string `json:"root"` // absolute
	Name string `json:"name"` // relative to Root, local
}

// Path returns the absolute path.
func (f File) Path() string { return path.Join(f.Root, f.Name) }

// Roots finds the files that a job names. An agent looks below its media roots; a
// program that only shows a command may answer without looking at a disk.
type Roots interface {
	Input(field, name string) (File, error) // a file to read; the field of the job names it
	Output(name string) (File, error)
}

// Plan is one ffmpeg run. It holds secrets (URLs, the stream key) and is stored
// only in files of mode 0600.
type Plan struct {
	Args  []string `json:"args"`            // without the program's name
	First []string `json:"first,omitempty"` // arguments of a first pass, which writes its log into PassFD
	// SoundFirst says that the first pass only measures Loudness.
	SoundFirst bool       `json:"sound_first,omitempty"`
	Loudness   []Loudness `json:"loudness,omitempty"`
	Sidecars   []Sidecar  `json:"sidecars,omitempty"`

	Input   *File  `json:"input,omitempty"`   // opened as InputFD
	Mark    *File  `json:"mark,omitempty"`    // opened as WatermarkFD
	Picture *File  `json:"picture,omitempty"` // opened as PictureFD
	Work    *File  `json:"work,omitempty"`    // created as OutputFD
	Final   *File  `json:"final,omitempty"`   // the published name of Work
	Owner   Owner  `json:"owner"`             // of Final and of Sidecars
	Source  string `json:"source,omitempty"`  // URL to read from, through an endpoint
	Target  string `json:"target,omitempty"`  // URL to stream to, through an endpoint
	Options string `json:"options,omitempty"` // name=value lines read from OptionsFD, kept off the command line
	// Playlist is what ffmpeg reads from PlaylistFD: the source's address and options kept off the command line.
	Playlist string `json:"playlist,omitempty"`

	Secrets []string `json:"secrets,omitempty"` // redacted in logs
	Want    Want     `json:"want"`

	Warnings []string `json:"warnings,omitempty"` // what a user should know of the output

	Reconnect int  `json:"reconnect,omitempty"` // see ffrtmp.Encoding
	Rejoin    bool `json:"rejoin,omitempty"`
	Restart   bool `json:"restart,omitempty"` // a stream that connects again begins again: ffmpeg cannot seek in it
	SeekAt    int  `json:"seek_at,omitempty"` // index in Args of the position to begin at; 0: there is none
	LeftAt    int  `json:"left_at,omitempty"` // index in Args of the duration; 0: there is none
}

// Owner says which existing file an output may replace: one of its job's own, or with Overwrite any.
type Owner struct {
	JobID     string `json:"job_id,omitempty"`
	Overwrite bool   `json:"overwrite,omitempty"`
}

// Live reports whether the run streams to a server and makes no file.
func (p *Plan) Live() bool { return p.Target != "" }

// Want is what the output must be for the run to succeed.
type Want struct {
	Codec   string  `json:"codec,omitempty"` // ffprobe's name: h264, hevc, vp9, av1; "": no video
	Width   int     `json:"width,omitempty"`
	Height  int     `json:"height,omitempty"`
	Fit     Fit     `json:"fit,omitempty"`
	FPS     float64 `json:"fps,omitempty"`     // 0: the source's
	Start   float64 `json:"start,omitempty"`   // of the source
	Seconds float64 `json:"seconds,omitempty"` // at most; 0: the whole source
	Audio   string  `json:"audio,omitempty"`   // ffprobe's name, if the source has sound
	Tracks  []Track `json:"tracks,omitempty"`  // where a job lists them; Audio is the first audio track's then
	Pattern bool    `json:"pattern,omitempty"` // a test pattern, whose sound and duration are known
	// SourceSeconds is the length of the source's streams that are encoded; 0: unknown.
	SourceSeconds float64 `json:"source_seconds,omitempty"`
	// FrameRate is the output's where subtitles, which may be late or last long, say nothing of how far it is; else 0.
	FrameRate float64 `json:"frame_rate,omitempty"`
	// Sounds are when the source's audio tracks end that the output's are made of, in the output's order; 0: unknown.
	Sounds []float64 `json:"sounds,omitempty"`
}

// Rest returns what is left of a source after the start, at most what is wanted of it; 0 where its length is unknown.
func (w *Want) Rest(source float64) float64 {
	rest := max(0, source-w.Start)
	if w.Seconds > 0 && rest > 0 {
		return min(rest, w.Seconds)
	}
	return rest
}

// Track is what a track of the output must be.
type Track struct {
	Type   string `json:"type"`            // audio or subtitle
	Codec  string `json:"codec,omitempty"` // ffprobe's name; "": unknown
	Source int    `json:"source"`          // the source's track, among those of its type; -1: unknown
}

// Sound returns the number of the source's audio track that an audio track of the output is made of.
func (w *Want) Sound(n int) int {
	for _, t := range w.Tracks {
		if t.Type != "audio" {
			continue
		}
		if n == 0 {
			return t.Source
		}
		n--
	}
	return 0
}

// Has reports whether the job lists tracks of a type.
func (w *Want) Has(kind string) bool {
	return slices.ContainsFunc(w.Tracks, func(t Track) bool { return t.Type == kind })
}

// Fit is how an output's size relates to Width and Height.
type Fit string

// Fits. The zero value does not compare sizes.
const (
	Exact       Fit = "exact"
	Inside      Fit = "inside"       // one side is equal, the other at most
	ShorterSide Fit = "shorter_side" // the shorter side is Height
)
