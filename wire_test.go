package ffrtmp

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func ptr[T any](v T) *T { return &v }

// What masters are sent is refused by naming the field.
func TestValidate_Field(t *testing.T) {
	tooMany := map[string]string{}
	for i := range 65 {
		tooMany[fmt.Sprint("k", i)] = "v"
	}
	lease := Result{JobID: "j", NodeID: "n", Status: ResultCompleted}
	for _, tt := range []struct {
		field string
		err   error
	}{
		{"job_id", (&Result{NodeID: "n", Status: ResultFailed}).Validate()},
		{"node_id", (&Result{JobID: "j", Status: ResultFailed}).Validate()},
		{"status", (&Result{JobID: "j", NodeID: "n", Status: "done"}).Validate()},
		{"attempt", (&Result{JobID: "j", NodeID: "n", Status: ResultFailed, Attempt: -1}).Validate()},
		{"metrics", (&Result{JobID: "j", NodeID: "n", Metrics: make([]byte, maxResultJSONBytes+1)}).Validate()},
		{
			"analyzer_output",
			(&Result{JobID: "j", NodeID: "n", AnalyzerOutput: make([]byte, maxResultJSONBytes+1)}).Validate(),
		},
		{
			"failure_reason",
			(&Result{
				JobID: "j", NodeID: "n", Status: ResultFailed,
				FailureReason: FailureReason(strings.Repeat("x", 65)),
			}).Validate(),
		},
		{"", lease.Validate()},
		{"", (&Result{
			JobID: "j", NodeID: "n", Status: ResultFailed, FailureReason: "encoder_crash", Progress: 33.4,
			Metrics: json.RawMessage("null"), AnalyzerOutput: json.RawMessage("{}"),
			CompletedAt: ptr("2026-11-22T07:03:34.969877811+01:00"),
		}).Validate()},

		{"node_id", (&Registration{NodeID: "me", Machine: Machine{Address: "a"}}).Validate()},
		{"address", (&Registration{}).Validate()},
		{"cpu_threads", (&Registration{Machine: Machine{Address: "a", CPUThreads: -1}}).Validate()},
		{"ram_total_bytes", (&Registration{Machine: Machine{Address: "a", RAMTotalBytes: -1}}).Validate()},
		{"max_concurrent_jobs", (&Registration{Machine: Machine{Address: "a", MaxConcurrentJobs: 1025}}).Validate()},
		{"name", (&Registration{Machine: Machine{Address: "a", Name: strings.Repeat("x", 256)}}).Validate()},
		{"encoders", (&Registration{Machine: Machine{Address: "a", Encoders: make([]string, 257)}}).Validate()},
		{
			"gpu_capabilities",
			(&Registration{Machine: Machine{Address: "a", GPUCapabilities: make([]string, 65)}}).Validate(),
		},
		{"labels", (&Registration{Machine: Machine{Address: "a", Labels: tooMany}}).Validate()},
		{"labels", (&Registration{Machine: Machine{Address: "a", Labels: map[string]string{"a=b": "c"}}}).Validate()},
		{"media_roots", (&Registration{Machine: Machine{Address: "a", MediaRoots: make([]string, 257)}}).Validate()},
		{"media_roots[1]", (&Registration{Machine: Machine{Address: "a", MediaRoots: []string{"/a", "b"}}}).Validate()},
		{"media_roots[0]", (&Registration{Machine: Machine{Address: "a", MediaRoots: []string{"/a\nb"}}}).Validate()},
		{"", (&Registration{Machine: Machine{Address: "a"}}).Validate()},

		{"status", (&Filter{Status: "done"}).Validate()},
		{"queue", (&Filter{Queue: "fast"}).Validate()},
		{"priority", (&Filter{Priority: "urgent"}).Validate()},
		{"", (&Filter{Status: StatusIn(Running), Queue: Live, Priority: Low}).Validate()},

		{"limit", (&Page{Limit: -1}).Validate()},
		{"limit", (&Page{Limit: MaxLimit + 1}).Validate()},
		{"order", (&Page{Order: "up"}).Validate()},
		{"", (&Page{}).Validate()},

		{"queue", (&Patch{Queue: ptr(Queue("fast"))}).Validate()},
		{"priority", (&Patch{Priority: ptr(Priority("urgent"))}).Validate()},
		{"max_retries", (&Patch{MaxRetries: ptr(101)}).Validate()},
		{"labels", (&Patch{Labels: tooMany}).Validate()},
		{"", (&Patch{Queue: ptr(Batch), MaxRetries: ptr(0)}).Validate()},
	} {
		var e *Error
		switch {
		case tt.field == "" && tt.err != nil:
			t.Errorf("got %v, want no error", tt.err)
		case tt.field != "" && (!errors.As(tt.err, &e) || e.Code != Invalid || e.Field != tt.field):
			t.Errorf("got %v, want an error of field %s", tt.err, tt.field)
		}
	}
}

// Omitted fields get defaults.
func TestValidate_Defaults(t *testing.T) {
	r := Registration{NodeID: "0190a1b2-0000-7000-8000-000000000000", Machine: Machine{Address: "10.0.0.1"}}
	if err := r.Validate(); err != nil || r.Name != "10.0.0.1" || r.Type != "server" || r.MaxConcurrentJobs != 1 {
		t.Errorf("got %+v, %v, want the defaults of a node", r, err)
	}
	v22 := Registration{Machine: Machine{Address: "10.0.0.1"}}
	if err := v22.Validate(); err != nil || v22.MaxConcurrentJobs != 0 {
		t.Errorf("v2.2 node: got %+v, %v, want no limit", v22, err)
	}
	var p Page
	if err := p.Validate(); err != nil || p.Limit != DefaultLimit || p.Order != Descending {
		t.Errorf("got %+v, %v, want the default page", p, err)
	}
}

// Long text is truncated to the stored size.
func TestResult_LongText(t *testing.T) {
	r := Result{
		JobID: "j", NodeID: "n", Status: ResultFailed,
		Error: strings.Repeat("e", 5000), Logs: "front" + strings.Repeat("l", MaxLogBytes),
	}
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	if len(r.Error) != 4096 || len(r.Logs) != MaxLogBytes || strings.Contains(r.Logs, "front") {
		t.Errorf("got %d bytes of the error and %d of the log, want 4096 and %d", len(r.Error), len(r.Logs),
			MaxLogBytes)
	}
}

// A duration is text or a number of seconds.
func TestDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{
		`"30s"`: 30 * time.Second, `1.5`: 1500 * time.Millisecond, `0`: 0, `"1m30s"`: 90 * time.Second,
	} {
		var d Duration
		if err := json.Unmarshal([]byte(in), &d); err != nil || time.Duration(d) != want {
			t.Errorf("%s: got %v, %v, want %v", in, time.Duration(d), err, want)
		}
	}
	if out, err := json.Marshal(Duration(90 * time.Second)); err != nil || string(out) != `"1m30s"` {
		t.Errorf("got %s, %v, want \"1m30s\"", out, err)
	}
}

// Error codes survive wrapping.
func TestCodeOf_Wrapped(t *testing.T) {
	for want, err := range map[Code]error{
		"":       nil,
		Internal: fs.ErrNotExist,
		Conflict: fmt.Errorf("cancel: %w", Errorf(Conflict, "job %d has ended", 7)),
		NotFound: errors.Join(errors.New("first"), Errorf(NotFound, "no such job")),
	} {
		if got := CodeOf(err); got != want {
			t.Errorf("%v: got code %s, want %s", err, got, want)
		}
	}
	err := Errorf(Internal, "reading: %w", fs.ErrNotExist)
	if !errors.Is(err, fs.ErrNotExist) || err.Error() != "reading: file does not exist" {
		t.Errorf("got %v, want the cause in the chain and the text", err)
	}
}

// Final failures and nodes to avoid.
func TestFailureReason(t *testing.T) {
	reasons := []FailureReason{
		UserError, CapabilityMismatch, InputError, OutputError, NetworkError, RuntimeError, PlatformError, Timeout,
		Hung, NodeLost, "of_v22",
	}
	final, avoid := map[FailureReason]bool{}, map[FailureReason]bool{}
	for _, r := range reasons {
		if r.Final() {
			final[r] = true
		}
		if r.AvoidNode() {
			avoid[r] = true
		}
	}
	if got := slices.Sorted(maps.Keys(final)); !slices.Equal(got, []FailureReason{CapabilityMismatch, UserError}) {
		t.Errorf("got final reasons %v, want user_error and capability_mismatch", got)
	}
	want := []FailureReason{InputError, OutputError, PlatformError}
	if got := slices.Sorted(maps.Keys(avoid)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Free slots.
func TestNode_Free(t *testing.T) {
	n := Node{Machine: Machine{MaxConcurrentJobs: 2}}
	if n.Free(0) != 2 || n.Free(2) != 0 || n.Free(3) != 0 {
		t.Errorf("got %d, %d, %d free slots, want 2, 0, 0", n.Free(0), n.Free(2), n.Free(3))
	}
	if v22 := (Node{Legacy: true}); v22.Free(1000) < 1 {
		t.Error("got no free slot on a v2.2 node, want no limit")
	}
}
