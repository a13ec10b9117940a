// Package media is the part of the file system that jobs may touch: the media
// roots. Nothing outside of them is read or written, whatever a job's paths or
// the symbolic links on the way say.
package media

import "path/filepath"

// File is a place below a media root, its links resolved.
type File struct {
	Root string `json:"root"` // absolute
	Name string `json:"name"` // relative to Root, local
}

// Path returns the absolute path.
func (f File) Path() string { return filepath.Join(f.Root, f.Name) }
