package fsm

import (
	"crypto/sha256"
	"encoding/json"
	"path"
	"strings"

	"github.com/ffrtmp/ffrtmp"
)

// outputKey identifies the file that a job writes, by a hash of its cleaned path. The zero key is none: a stream,
// or the default name, which has the job's id.
type outputKey [16]byte

// outputs are the files of unfinished jobs: no other job may write them. Only an import can add several jobs with
// one file; they are linked, newest first.
type outputs map[outputKey]*activeJob

func (o outputs) add(j *activeJob) {
	if j.output != (outputKey{}) {
		j.sameOutput = o[j.output]
		o[j.output] = j
	}
}

func (o outputs) remove(j *activeJob) {
	if j.output == (outputKey{}) {
		return
	}
	first := o[j.output]
	for at := &first; *at != nil; at = &(*at).sameOutput {
		if *at == j {
			*at, j.sameOutput = j.sameOutput, nil
			break
		}
	}
	if first == nil {
		delete(o, j.output)
	} else {
		o[j.output] = first
	}
}

// check returns a Conflict error if an unfinished job writes the file.
func (o outputs) check(key outputKey) *ffrtmp.Error {
	j := o[key]
	if j == nil || key == (outputKey{}) {
		return nil
	}
	return ffrtmp.Errorf(ffrtmp.Conflict, "parameters.output: job %d (%s) writes the same file and is %s; "+
		"wait for it, cancel it or use another path", j.seq, j.id, j.status)
}

// sidecars are the unfinished jobs that extract subtitles, by their output without its extension, which names the
// files.
type sidecars map[outputKey]*activeJob

func (s sidecars) add(j *activeJob) {
	if j.sidecars != nil {
		s[*j.sidecars] = j
	}
}

func (s sidecars) remove(j *activeJob) {
	if j.sidecars != nil && s[*j.sidecars] == j {
		delete(s, *j.sidecars)
	}
}

// check returns a Conflict error if an unfinished job extracts subtitles to the same names.
func (s sidecars) check(key *outputKey) *ffrtmp.Error {
	if key == nil || s[*key] == nil {
		return nil
	}
	j := s[*key]
	return ffrtmp.Errorf(ffrtmp.Conflict, "parameters.subtitles: job %d (%s) extracts subtitles to files of the same "+
		"name and is %s; wait for it, cancel it or use another output", j.seq, j.id, j.status)
}

// sidecarKeyOf returns the key of a job that extracts subtitles beside a named output, else nil.
func sidecarKeyOf(parameters string) *outputKey {
	if !strings.Contains(parameters, ffrtmp.SubtitleExtract) {
		return nil
	}
	var p struct {
		Output    string `json:"output"`
		Subtitles []struct {
			Mode string `json:"mode"`
		} `json:"subtitles"`
	}
	_ = json.Unmarshal([]byte(parameters), &p) // they were decoded before
	for _, t := range p.Subtitles {
		if t.Mode == ffrtmp.SubtitleExtract && p.Output != "" {
			file := path.Clean(p.Output)
			sum := sha256.Sum256([]byte(strings.TrimSuffix(file, path.Ext(file))))
			key := outputKey(sum[:len(outputKey{})])
			return &key
		}
	}
	return nil
}

// checkFiles returns a Conflict error if an unfinished job writes a file of a job.
func (s *state) checkFiles(j *activeJob) *ffrtmp.Error {
	if refused := s.outputs.check(j.output); refused != nil {
		return refused
	}
	return s.sidecars.check(j.sidecars)
}

// CheckOutput returns a Conflict error if an unfinished job has the output of valid parameters.
func (f *FSM) CheckOutput(parameters json.RawMessage) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return errNoState
	}
	j := activeJob{output: outputKeyOf(string(parameters)), sidecars: sidecarKeyOf(string(parameters))}
	if refused := f.state.checkFiles(&j); refused != nil {
		return refused
	}
	return nil
}

// checkOutputs returns a Conflict error if a file of a submission is taken, also by another job of it.
func (t *tx) checkOutputs(specs []spec) ([]outputKey, *ffrtmp.Error) {
	keys := make([]outputKey, len(specs))
	first := map[outputKey]int{}
	for i := range specs {
		keys[i] = outputKeyOf(specs[i].parameters)
		if refused := t.outputs.check(keys[i]); refused != nil {
			return nil, inBatch(refused, i, len(specs))
		}
		if len(specs) == 1 || keys[i] == (outputKey{}) {
			continue
		}
		if other, taken := first[keys[i]]; taken {
			return nil, ffrtmp.Errorf(ffrtmp.Conflict, "jobs[%d].parameters.output: jobs[%d] writes the same file",
				i, other)
		}
		first[keys[i]] = i
	}
	return keys, t.checkSidecars(specs)
}

// checkSidecars returns a Conflict error if subtitles of a submission would be extracted to names that are taken.
func (t *tx) checkSidecars(specs []spec) *ffrtmp.Error {
	first := map[outputKey]int{}
	for i := range specs {
		key := sidecarKeyOf(specs[i].parameters)
		if key == nil {
			continue
		}
		if refused := t.sidecars.check(key); refused != nil {
			return inBatch(refused, i, len(specs))
		}
		if other, taken := first[*key]; taken {
			return ffrtmp.Errorf(ffrtmp.Conflict,
				"jobs[%d].parameters.subtitles: jobs[%d] extracts subtitles to files of the same name", i, other)
		}
		first[*key] = i
	}
	return nil
}

// inBatch names the job of a batch in an error.
func inBatch(refused *ffrtmp.Error, i, count int) *ffrtmp.Error {
	if count == 1 {
		return refused
	}
	return ffrtmp.Errorf(refused.Code, "jobs[%d].%s", i, refused.Message)
}

// outputKeyOf returns the key of the output in a job's parameters.
func outputKeyOf(parameters string) outputKey {
	output := outputOf(parameters)
	if output == "" {
		return outputKey{}
	}
	sum := sha256.Sum256([]byte(path.Clean(output)))
	return outputKey(sum[:len(outputKey{})])
}

// outputOf returns the output in parameters: a valid JSON object without white space, or "". Without escapes, the
// text of the name occurs only as a name. All masters call it for each job: decoding would cost ten times more.
func outputOf(parameters string) string {
	const name = `"output":"`
	if strings.IndexByte(parameters, '\\') >= 0 {
		var p struct {
			Output string `json:"output"`
		}
		_ = json.Unmarshal([]byte(parameters), &p) // they were decoded before
		return p.Output
	}
	at := strings.LastIndex(parameters, name)
	if at < 0 {
		return ""
	}
	output, _, _ := strings.Cut(parameters[at+len(name):], `"`)
	return output
}
