package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Names in an attempt's directory.
const (
	attemptFile    = "attempt.json"
	supervisorFile = "supervisor.json"
	ffmpegFile     = "ffmpeg.json"
	stateFile      = "state.json"
	exitFile       = "exit.json"
	controlSocket  = "control"
	panicFile      = "supervisor.log"
)

// save replaces a file by v in one step; a reader sees the old or the new.
func save(dir, name string, v any) error {
	temporary, err := writeTemporary(dir, name, v)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, filepath.Join(dir, name)); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}

// saveOnce writes a file that must not be there yet; else the error is fs.ErrExist
// and the file is left as it is.
func saveOnce(dir, name string, v any) error {
	temporary, err := writeTemporary(dir, name, v)
	if err != nil {
		return err
	}
	return errors.Join(os.Link(temporary, filepath.Join(dir, name)), os.Remove(temporary))
}

// writeTemporary returns the path of a file on the disk whole, of a name of its own.
func writeTemporary(dir, name string, v any) (string, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, "."+name+".*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if name != stateFile && name != ffmpegFile { // these are worth nothing after a crash of the machine
		err = errors.Join(err, f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// load reads a file into v and reports whether it is there. An empty one is what a
// crash of the machine may have left of it.
func load(dir, name string, v any) (bool, error) {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(data) == 0 {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
	}
	return true, nil
}
