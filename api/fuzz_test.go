package api

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/jsonbody"
)

// takers decode and check a body as the endpoints do, and return what they take it for.
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

// FuzzBodies gives any bytes to what takes a body. They are refused as invalid, or
// taken for something that is itself taken, and unchanged, when it is sent.
func FuzzBodies(f *testing.F) {
	for _, body := range noObjects {
		f.Add([]byte(body))
	}
	for _, body := range samples {
		f.Add([]byte(body))
	}
	f.Add([]byte(`{"node_id":"a","wait":"1s","max":1e0}`))
	f.Add([]byte(`{"scenario":"720p","parameters":{"fps":1e1,"fps":2},"requires":{"encoder":"libx264"},"labels":{"é":"\ud83d"}}`))
	f.Add([]byte(`{"job_id":"1","node_id":"n","status":"failed","error":"\ufffd","metrics":null,"completed_at":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, take := range takers {
			first, err := take(body)
			if err != nil {
				if ffrtmp.CodeOf(err) != ffrtmp.Invalid {
					t.Errorf("got %s: refused with %v", name, err)
				}
				continue
			}
			if _, err := jsonbody.Canonical(body); err != nil {
				t.Errorf("got %s: taken, but for an idempotency key: %v", name, err)
			}
			sent, err := json.Marshal(first)
			if err != nil {
				t.Fatalf("%s: got %v", name, err)
			}
			second, err := take(sent)
			if err != nil {
				t.Fatalf("%s: got %s was taken for %s, which is refused: %v", name, body, sent, err)
			}
			again, err := json.Marshal(second)
			if diff := cmp.Diff(string(sent), string(again)); diff != "" || err != nil {
				t.Errorf("%s: %v %s", name, err, diff)
			}
		}
	})
}
