package api

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/jsonbody"
)

// takers decode and validate a body as the endpoints do, and return the value.
var takers = map[string]func([]byte) (any, error){
	"submitJob":    take(func(s *ffrtmp.Spec) error { return s.Validate() }),
	"patchJob":     take(func(p *ffrtmp.Patch) error { return p.Validate() }),
	"claimJobs":    take(validateClaim),
	"heartbeat":    take(validateHeartbeat),
	"reportResult": take(func(r *ffrtmp.Result) error { return r.Validate() }),
	"registerNode": take(func(r *ffrtmp.Registration) error { return r.Validate() }),
	"cancelJobs": take(func(sel *selection) error {
		_, err := sel.filter()
		return err
	}),
	"prioritizeJobs": take(func(p *prioritized) error { return p.Validate() }),
	"submitBatch": take(func(b *batch) error {
		if err := b.Validate(); err != nil {
			return err
		}
		_, err := b.specs()
		return err
	}),
}

func take[In any](check func(*In) error) func([]byte) (any, error) {
	return func(body []byte) (any, error) {
		in := new(In)
		if err := jsonbody.Decode(body, in); err != nil {
			return nil, err
		}
		return in, check(in)
	}
}

// FuzzBodies decodes arbitrary bytes as every kind of body. They are refused as invalid, or decoded to
// a value that survives encoding and decoding.
func FuzzBodies(f *testing.F) {
	for _, body := range noObjects {
		f.Add([]byte(body))
	}
	for _, body := range samples {
		f.Add([]byte(body))
	}
	f.Add([]byte(`{"node_id":"a","wait":"1s","max":1e0}`))
	f.Add([]byte(`{"scenario":"720p","parameters":{"fps":1e1,"fps":2},` +
		`"requires":{"encoder":"libx264"},"labels":{"é":"\ud83d"}}`))
	f.Add([]byte(`{"job_id":"1","node_id":"n","status":"failed","error":"\ufffd","metrics":null,"completed_at":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, take := range takers {
			first, err := take(body)
			if err != nil {
				if ffrtmp.CodeOf(err) != ffrtmp.Invalid {
					t.Errorf("%s: got %v, want code invalid", name, err)
				}
				continue
			}
			if _, err := jsonbody.Canonical(body); err != nil {
				t.Errorf("%s: got %v as a canonical body, want none", name, err)
			}
			sent, err := json.Marshal(first)
			if err != nil {
				t.Fatalf("%s: got %v, want no error", name, err)
			}
			second, err := take(sent)
			if err != nil {
				t.Fatalf("%s: got %v for %s, decoded from %s, want it accepted", name, err, sent, body)
			}
			again, err := json.Marshal(second)
			if diff := cmp.Diff(string(sent), string(again)); diff != "" || err != nil {
				t.Errorf("%s: got another body after a second decoding (-want +got): %v\n%s", name, err, diff)
			}
		}
	})
}
