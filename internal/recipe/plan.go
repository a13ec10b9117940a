// Package recipe turns what a job asks for into the arguments of one ffmpeg run.
// Arguments come from a closed set of recipes; nothing that a user wrote reaches
// ffmpeg unless package job parsed and checked it first. No file and no server is
// named to ffmpeg by a user's words: it inherits open files, and it speaks to
// the loopback endpoints of package proxy.
package recipe

import "path"

// Files that ffmpeg inherits, by number. Because they are opened outside of
// ffmpeg, what was checked against the media roots is what is read and written,
// whatever happens to links and directories in between.
const (
	ProgressFD = 3 // write end of a pipe, for -progress
	InputFD    = 4
	OutputFD   = 5
	OptionsFD  = 6
)

// Arguments that stand for the address of an endpoint, which is known only once
// the endpoint has been opened.
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
	Input(name string) (File, error)
	Output(name string) (File, error)
}

// Plan is one ffmpeg run. It holds secrets (URLs, the stream key) and is stored
// only in files of mode 0600.
type Plan struct {
	Args    []string `json:"args"`              // without the program's name
	Input   *File    `json:"input,omitempty"`   // opened for reading as InputFD
	Work    *File    `json:"work,omitempty"`    // created as OutputFD
	Final   *File    `json:"final,omitempty"`   // what Work becomes once it is published
	Source  string   `json:"source,omitempty"`  // URL to read from, through an endpoint
	Target  string   `json:"target,omitempty"`  // URL to stream to, through an endpoint
	Options string   `json:"options,omitempty"` // lines of name=value read from OptionsFD: what must not be on a command line
	Secrets []string `json:"secrets,omitempty"` // never to appear in a log
	Want    Want     `json:"want"`
}

// Live reports whether the run streams to a server. Such a run makes no file.
func (p *Plan) Live() bool { return p.Target != "" }

// Want is what the output must be for the run to count as a success.
type Want struct {
	Codec   string  `json:"codec"`             // ffprobe's name: h264, hevc, vp9, av1
	Width   int     `json:"width,omitempty"`   // 0: by the source's aspect ratio
	Height  int     `json:"height"`            //
	FPS     float64 `json:"fps,omitempty"`     // 0: the source's
	Seconds float64 `json:"seconds,omitempty"` // at most; 0: the whole source
	Audio   string  `json:"audio,omitempty"`   // ffprobe's name, if the source has sound
	Pattern bool    `json:"pattern,omitempty"` // a test pattern: sound and duration are certain
}
