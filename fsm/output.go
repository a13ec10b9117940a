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

// CheckOutput returns a Conflict error if an unfinished job has the output of valid parameters.
func (f *FSM) CheckOutput(parameters json.RawMessage) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return errNoState
	}
	if refused := f.state.outputs.check(outputKeyOf(string(parameters))); refused != nil {
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
	return keys, nil
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
