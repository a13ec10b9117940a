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

// key names an attempt.
type key struct {
	jobID   string
	attempt int
}

func keyOf(j *ffrtmp.Job) key { return key{j.ID, j.Attempt} }

func (k key) String() string { return k.jobID + "-" + strconv.Itoa(k.attempt) }

// record is the directory of one attempt. It is an attempt of ours as long as it
// holds claim.json: that is written first and removed first.
type record struct{ dir string }

func (s *state) record(k key) record { return record{filepath.Join(s.dir, "attempts", k.String())} }

// records lists the attempts that an earlier agent has left.
func (s *state) records() ([]record, error) {
	root := filepath.Join(s.dir, "attempts")
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	var list []record
	for _, e := range entries {
		list = append(list, record{filepath.Join(root, e.Name())})
	}
	return list, nil
}

// create makes the directory durable with what was claimed. It holds secrets of
// the job.
func (r record) create(j *ffrtmp.Job) error {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return err
	}
	if err := writeJSON(r.path("claim.json"), j); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(r.dir))
}

// claimed returns what was claimed; fs.ErrNotExist when the attempt is forgotten.
func (r record) claimed() (ffrtmp.Job, error) {
	var j ffrtmp.Job
	err := readJSON(r.path("claim.json"), &j)
	if err == nil && keyOf(&j).String() != filepath.Base(r.dir) {
		err = fmt.Errorf("%s is another attempt's", r.path("claim.json"))
	}
	return j, err
}

// forgotten reports whether the attempt is no longer ours: what is left of its
// directory is to be removed and says nothing any more.
func (r record) forgotten() (bool, error) {
	_, err := os.Stat(r.path("claim.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return false, err
}

// forget removes the attempt. A half removed one is no longer ours.
func (r record) forget() error {
	if err := os.Remove(r.path("claim.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(r.dir)
}

func (r record) path(name string) string { return filepath.Join(r.dir, name) }

// verdict is how an attempt ended, kept until a master knows.
type verdict struct {
	Result    ffrtmp.Result `json:"result"`
	Input     *recipe.File  `json:"input,omitempty"` // which Final must not be
	Work      *recipe.File  `json:"work,omitempty"`  // of a completed file job
	Final     *recipe.File  `json:"final,omitempty"` // what Work is to become
	Published bool          `json:"published,omitempty"`
}

// verdict returns nil while the attempt has not ended.
func (r record) verdict() (*verdict, error) {
	v := &verdict{}
	err := readJSON(r.path("verdict.json"), v)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return v, err
}

func (r record) decide(v *verdict) error { return writeJSON(r.path("verdict.json"), v) }
