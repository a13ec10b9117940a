package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// attemptID names an attempt.
type attemptID struct {
	jobID   string
	attempt int
}

func idOf(j *ffrtmp.Job) attemptID { return attemptID{j.ID, j.Attempt} }

func (id attemptID) String() string { return id.jobID + "-" + strconv.Itoa(id.attempt) }

// attemptDir is the directory of one attempt. It counts as an attempt while it holds
// claim.json, which is written first and removed first.
type attemptDir struct{ path string }

func (s *state) attemptDir(id attemptID) attemptDir {
	return attemptDir{filepath.Join(s.dir, "attempts", id.String())}
}

// records lists the attempts that an earlier agent has left.
func (s *state) attemptDirs() ([]attemptDir, error) {
	root := filepath.Join(s.dir, "attempts")
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	var list []attemptDir
	for _, e := range entries {
		list = append(list, attemptDir{filepath.Join(root, e.Name())})
	}
	return list, nil
}

// create writes the claim and makes the directory durable. It holds the job's secrets.
func (d attemptDir) create(j *ffrtmp.Job) error {
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return err
	}
	if err := atomicfile.WriteJSON(d.file("claim.json"), j); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(d.path))
}

// claimed returns the claimed job; fs.ErrNotExist when the attempt was removed.
func (d attemptDir) claimed() (ffrtmp.Job, error) {
	var j ffrtmp.Job
	err := atomicfile.ReadJSON(d.file("claim.json"), &j)
	if err == nil && idOf(&j).String() != filepath.Base(d.path) {
		err = fmt.Errorf("%s belongs to another attempt", d.file("claim.json"))
	}
	return j, err
}

// removed reports whether the attempt was removed: the rest of its directory means
// nothing.
func (d attemptDir) removed() (bool, error) {
	_, err := os.Stat(d.file("claim.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return false, err
}

// remove removes the attempt. A half-removed one no longer counts.
func (d attemptDir) remove() error {
	if err := os.Remove(d.file("claim.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(d.path)
}

func (d attemptDir) file(name string) string { return filepath.Join(d.path, name) }

// outcome is how an attempt ended, kept until a master has accepted it.
type outcome struct {
	Result ffrtmp.Result `json:"result"`
	Input  *recipe.File  `json:"input,omitempty"` // must differ from Final
	Work   *recipe.File  `json:"work,omitempty"`  // of a completed file job
	Final  *recipe.File  `json:"final,omitempty"` // the published name of Work
	Owner  recipe.Owner  `json:"owner"`           // of Final and of Sidecars

	Sidecars []recipe.Sidecar `json:"sidecars,omitempty"`

	Published bool `json:"published,omitempty"`
}

// outcome returns nil while the attempt has not ended.
func (d attemptDir) outcome() (*outcome, error) {
	o := &outcome{}
	err := atomicfile.ReadJSON(d.file("outcome.json"), o)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return o, err
}

func (d attemptDir) saveOutcome(o *outcome) error {
	return atomicfile.WriteJSON(d.file("outcome.json"), o)
}
