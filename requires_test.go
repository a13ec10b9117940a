package ffrtmp

import (
	"reflect"
	"testing"
)

// Requirements.
func TestRequires_Unmet(t *testing.T) {
	ours := &Node{
		Machine: Machine{
			Encoders:      []string{"libx264"},
			CPUThreads:    4,
			RAMTotalBytes: 1 << 30,
			Labels:        map[string]string{"zone": "a"},
		},
	}
	legacy := &Node{Legacy: true, Machine: Machine{CPUThreads: 4}}
	tests := []struct {
		name string
		r    *Requires
		n    *Node
		fits bool
	}{
		{"nothing asked", nil, ours, true},
		{"encoder", &Requires{Encoder: "libx264"}, ours, true},
		{"missing encoder", &Requires{Encoder: "libx265"}, ours, false},
		{"v2.2 has software encoders", &Requires{Encoder: "libx265"}, legacy, true},
		{"v2.2 without GPU has no hardware encoder", &Requires{Encoder: "h264_nvenc"}, legacy, false},
		{"GPU", &Requires{GPU: true}, ours, false},
		{"threads", &Requires{MinCPUThreads: 5}, ours, false},
		{"memory", &Requires{MinRAMBytes: 1<<30 + 1}, ours, false},
		{"label", &Requires{Labels: map[string]string{"zone": "a"}}, ours, true},
		{"other label value", &Requires{Labels: map[string]string{"zone": "b"}}, ours, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if reason := tt.r.Unmet(tt.n); (reason == "") != tt.fits {
				t.Fatalf("got unmet requirement %q, want fits = %v", reason, tt.fits)
			}
		})
	}
}

// A job that asks for another encoder than its codec's waits for a node with both.
func TestRequires_CodecEncoder(t *testing.T) {
	spec := Spec{Scenario: "720p", Requires: &Requires{Encoder: "libx265", CodecEncoder: "h264_nvenc"}}
	if err := spec.Validate(); err != nil {
		t.Fatal(err)
	}
	if want := (Requires{Encoder: "libx265", CodecEncoder: "libx264"}); !reflect.DeepEqual(*spec.Requires, want) {
		t.Fatalf("got %+v, want %+v", *spec.Requires, want)
	}
	for _, tc := range []struct {
		has  []string
		fits bool
	}{{[]string{"libx264"}, false}, {[]string{"libx265"}, false}, {[]string{"libx264", "libx265"}, true}} {
		if unmet := spec.Requires.Unmet(&Node{Machine: Machine{Encoders: tc.has}}); (unmet == "") != tc.fits {
			t.Errorf("%v: got unmet requirement %q, want fits = %v", tc.has, unmet, tc.fits)
		}
	}
}

// Rank orders queue before priority.
func TestRank(t *testing.T) {
	last := -1
	for _, q := range Queues {
		for _, p := range Priorities {
			if r := Rank(q, p); r != last+1 {
				t.Fatalf("%s/%s: got rank %d, want %d", q, p, r, last+1)
			}
			last++
		}
	}
	if last+1 != Ranks {
		t.Fatalf("got %d ranks, want %d", last+1, Ranks)
	}
}

// State table.
func TestStatus_Allows(t *testing.T) {
	want := map[Action]map[Status]bool{
		Cancel: {Pending: true, Running: true, Paused: true, Canceled: true},
		Pause:  {Pending: true, Running: true},
		Resume: {Paused: true},
		Retry:  {Failed: true, Canceled: true},
	}
	for action, states := range want {
		for _, s := range Statuses {
			if s.Allows(action) != states[s] {
				t.Errorf("%s of a %s job: got %v, want %v", action, s, s.Allows(action), states[s])
			}
		}
	}
}
