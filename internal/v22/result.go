package v22

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// ResultsDir is the directory of a v2.2 master's result files, in the directory that it ran in.
const ResultsDir = "test_results"

// Results are the figures that v2.2's master wrote when a job completed: quality, energy, frames. They do not name the
// job, but its scenario, engine and times.
type Results struct {
	byJob map[resultKey][]*figures
	count int
}

type resultKey struct {
	scenario, engine string
	created          int64 // seconds
}

// figures are an entry of a file.
type figures struct {
	ended    float64 // seconds; 0: not recorded
	duration float64
	metrics  json.RawMessage
	used     bool
}

// maxResultBytes bounds one file: v2.2 starts another one after an hour without results.
const maxResultBytes = 256 << 20

// ReadResults reads all files of a directory. A directory that does not exist has none.
func ReadResults(dir string) (*Results, error) {
	r := &Results{byJob: map[resultKey][]*figures{}}
	files, err := filepath.Glob(filepath.Join(dir, "test_results_*.json"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	for _, file := range files {
		if err := r.read(file); err != nil {
			return nil, fmt.Errorf("read results: %w", err)
		}
	}
	if len(files) == 0 {
		if _, err := os.Stat(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read results: %w", err)
		}
	}
	return r, nil
}

func (r *Results) read(file string) error {
	if info, err := os.Stat(file); err != nil {
		return err
	} else if info.Size() > maxResultBytes {
		return fmt.Errorf("%s is larger than %d bytes", file, maxResultBytes)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var list struct {
		Scenarios []map[string]json.RawMessage `json:"scenarios"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, entry := range list.Scenarios {
		if err := r.add(entry); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// add keeps an entry, without what the job says itself.
func (r *Results) add(entry map[string]json.RawMessage) error {
	var key resultKey
	var f figures
	var created float64
	for name, into := range map[string]any{
		"name": &key.scenario, "encoder_type": &key.engine, "start_time": &created, "end_time": &f.ended,
		"duration": &f.duration,
	} {
		if raw, ok := entry[name]; ok {
			if err := json.Unmarshal(raw, into); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		if name != "duration" {
			delete(entry, name)
		}
	}
	key.created = int64(created)
	metrics, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	f.metrics = metrics
	r.byJob[key] = append(r.byJob[key], &f)
	r.count++
	return nil
}

// resultSlack is how far the times of a file and of the database may differ.
const resultSlack = time.Second

// Of returns the figures of a job's last run, or nil. Each entry belongs to one job: the one whose times fit best.
func (r *Results) Of(j *ffrtmp.ImportedJob) json.RawMessage {
	a := j.LastAttempt
	if j.Status != ffrtmp.Completed || a == nil {
		return nil
	}
	var best *figures
	took, away := a.EndedAt.Sub(a.StartedAt).Seconds(), math.Inf(1)
	for _, f := range r.byJob[resultKey{j.Scenario, j.Engine, j.CreatedAt.Unix()}] {
		distance := 0.0
		if f.ended != 0 {
			distance = math.Abs(f.duration - took)
			if math.Abs(f.ended-float64(j.CompletedAt.Unix())) > resultSlack.Seconds() {
				continue
			}
		}
		if !f.used && distance <= resultSlack.Seconds() && distance < away {
			best, away = f, distance
		}
	}
	if best == nil {
		return nil
	}
	best.used = true
	return best.metrics
}

// Count returns how many entries there are, and how many Of has returned.
func (r *Results) Count() (all, used int) {
	for _, list := range r.byJob {
		for _, f := range list {
			if f.used {
				used++
			}
		}
	}
	return r.count, used
}
