package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
)

// Names in an attempt's directory.
const (
	configFile     = "config.json"
	supervisorFile = "supervisor.json"
	ffmpegFile     = "ffmpeg.json"
	stateFile      = "state.json"
	exitFile       = "exit.json"
	controlSocket  = "control"
	stderrFile     = "supervisor.log"
)

// save replaces a file atomically. Only the configuration is synced: the other files
// mean nothing after a crash of the machine.
func save(dir, name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	if name == configFile {
		return atomicfile.Write(path, data, 0o600)
	}
	return atomicfile.WriteVolatile(path, data)
}

// saveOnce writes a file that must not exist yet; else the error is fs.ErrExist and the file stays as it is.
func saveOnce(dir, name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return atomicfile.Create(filepath.Join(dir, name), data)
}

// load reads a file into v and reports whether it exists. An empty file counts as
// missing: a crash of the machine may leave one.
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
