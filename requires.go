package ffrtmp

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ffrtmp/ffrtmp/internal/strictjson"
)

// Requires are a job's requirements on its node. The zero value accepts every node.
type Requires struct {
	Encoder       string            `json:"encoder,omitempty"`       // ffmpeg encoder, such as libx264 or h264_nvenc
	CodecEncoder  string            `json:"codec_encoder,omitempty"` // encoder of the job's codec if it is not Encoder
	GPU           bool              `json:"gpu,omitempty"`
	MinCPUThreads int               `json:"min_cpu_threads,omitempty"`
	MinRAMBytes   int64             `json:"min_ram_bytes,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	CurrentAgent  string            `json:"current_agent,omitempty"` // why a v2.2 agent cannot run the job, or ""
}

// UnmarshalJSON implements json.Unmarshaler. An unknown requirement is an error, so that a
// misspelled one is not ignored.
func (r *Requires) UnmarshalJSON(data []byte) error {
	type plain Requires
	_, err := decodeStrict(data, "requires", requirementNames, (*plain)(r))
	return err
}

var requirementNames = strictjson.Fields[Requires]()

// IsZero reports whether every node meets r.
func (r *Requires) IsZero() bool {
	return r == nil || r.Encoder == "" && r.CodecEncoder == "" && !r.GPU &&
		r.MinCPUThreads == 0 && r.MinRAMBytes == 0 && len(r.Labels) == 0 && r.CurrentAgent == ""
}

// Unmet returns the first requirement that node n does not meet, or "" if it meets all.
func (r *Requires) Unmet(n *Node) string {
	if r.IsZero() {
		return ""
	}
	if n.Legacy && r.CurrentAgent != "" {
		return r.CurrentAgent
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
		return "has " + strconv.FormatInt(n.RAMTotalBytes, 10) + " bytes of memory of " +
			strconv.FormatInt(r.MinRAMBytes, 10)
	}
	for _, k := range slices.Sorted(maps.Keys(r.Labels)) {
		if v, ok := n.Labels[k]; !ok || v != r.Labels[k] {
			return "label " + k + "=" + r.Labels[k] + " is missing"
		}
	}
	return ""
}

// hasEncoder reports whether the node has declared an encoder. A v2.2 node declares none; it is
// assumed to have every software encoder and, with a GPU, every hardware encoder.
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
		return FieldErrorf("requires.encoder", "unknown encoder %q", r.Encoder)
	}
	err := checkHardware("requires.min_cpu_threads", r.MinCPUThreads, "requires.min_ram_bytes", r.MinRAMBytes)
	if err != nil {
		return err
	}
	return validateLabels("requires.labels", r.Labels)
}

func validateLabels(field string, labels map[string]string) error {
	if len(labels) > 64 {
		return FieldErrorf(field, "has more than 64 entries")
	}
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if !validLabel(k, labels[k]) {
			return FieldErrorf(field, "%q: a key must have 1 to 63 bytes without '=' or ',', "+
				"a value at most 255, both without line breaks", k)
		}
	}
	return nil
}

func validLabel(key, value string) bool {
	return key != "" && len(key) <= 63 && len(value) <= 255 &&
		!strings.ContainsAny(key, "=,\x00\n") && !strings.ContainsAny(value, "\x00\n")
}
