package ffrtmp

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ffrtmp/ffrtmp/internal/strictjson"
)

// Requires is what a job asks of the node that runs it. The zero value asks nothing.
type Requires struct {
	Encoder       string            `json:"encoder,omitempty"`       // an ffmpeg encoder, such as libx264 or h264_nvenc
	CodecEncoder  string            `json:"codec_encoder,omitempty"` // the one that the job's codec needs, when Encoder is another; the masters set it
	GPU           bool              `json:"gpu,omitempty"`
	MinCPUThreads int               `json:"min_cpu_threads,omitempty"`
	MinRAMBytes   int64             `json:"min_ram_bytes,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
}

// UnmarshalJSON implements json.Unmarshaler. An unknown requirement is an error: a
// job must not run where a misspelled word would have kept it from.
func (r *Requires) UnmarshalJSON(data []byte) error {
	type plain Requires
	_, err := decodeStrict(data, "requires", requirementNames, (*plain)(r))
	return err
}

var requirementNames = strictjson.Fields[Requires]()

// IsZero reports whether r asks for nothing.
func (r *Requires) IsZero() bool {
	return r == nil || r.Encoder == "" && r.CodecEncoder == "" && !r.GPU && r.MinCPUThreads == 0 && r.MinRAMBytes == 0 && len(r.Labels) == 0
}

// Unmet returns why node n cannot run a job with these requirements, or "" when it can.
func (r *Requires) Unmet(n *Node) string {
	if r.IsZero() {
		return ""
	}
	for _, encoder := range []string{r.Encoder, r.CodecEncoder} {
		if encoder != "" && !n.hasEncoder(encoder) {
			return "encoder " + encoder + " is not available"
		}
	}
	switch {
	case r.GPU && !n.HasGPU:
		return "no GPU"
	case n.CPUThreads < r.MinCPUThreads:
		return "has " + strconv.Itoa(n.CPUThreads) + " CPU threads of " + strconv.Itoa(r.MinCPUThreads)
	case n.RAMTotalBytes < r.MinRAMBytes:
		return "has " + strconv.FormatInt(n.RAMTotalBytes, 10) + " bytes of memory of " + strconv.FormatInt(r.MinRAMBytes, 10)
	}
	for _, k := range slices.Sorted(maps.Keys(r.Labels)) {
		if v, ok := n.Labels[k]; !ok || v != r.Labels[k] {
			return "label " + k + "=" + r.Labels[k] + " is missing"
		}
	}
	return ""
}

// hasEncoder trusts a declared list. A v2.2 node declares none and is taken to
// have every software encoder.
func (n *Node) hasEncoder(name string) bool {
	if n.Legacy {
		return !hardwareEncoder(name) || n.HasGPU
	}
	return slices.Contains(n.Encoders, name)
}

func (r *Requires) validate() error {
	if r == nil {
		return nil
	}
	if r.Encoder != "" && !knownEncoder(r.Encoder) {
		return FieldErrorf("requires.encoder", "%q is not an encoder that ffrtmp knows", r.Encoder)
	}
	if r.MinCPUThreads < 0 || r.MinCPUThreads > 1<<16 {
		return FieldErrorf("requires.min_cpu_threads", "must be between 0 and 65536")
	}
	if r.MinRAMBytes < 0 {
		return FieldErrorf("requires.min_ram_bytes", "must not be negative")
	}
	return validateLabels("requires.labels", r.Labels)
}

func validateLabels(field string, labels map[string]string) error {
	if len(labels) > 64 {
		return FieldErrorf(field, "has more than 64 entries")
	}
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if k == "" || len(k) > 63 || len(labels[k]) > 255 || strings.ContainsAny(k, "=,\x00\n") || strings.ContainsAny(labels[k], "\x00\n") {
			return FieldErrorf(field, "%q: a key has 1 to 63 bytes without '=' or ',', a value at most 255, neither a line break", k)
		}
	}
	return nil
}
