package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
)

// A stream that breaks after an event, within one or after an id alone is resumed there.
func TestEvents_Resume(t *testing.T) {
	streams := map[string]string{
		"": ": keep-alive\nid: 3.0\n\nid: 4.0\nevent: job.submitted\ndata: " +
			"{\"index\":4,\"n\":0,\"type\":\"job.submitted\"}\n\nid: 4.1\nevent: job.sub",
		"4.0": "id: 4.1\nevent: job.submitted\ndata: {\"index\":4,\"n\":1}\n\n: keep-alive\nid: 9.0\n\n",
		"9.0": "id: 9.1\ndata: {\"index\":9,\"n\":1}\n\n",
	}
	handle := func(w http.ResponseWriter, r *http.Request) {
		text, ok := streams[r.URL.Query().Get("since")]
		if !ok || r.URL.Path != "/events" || r.URL.Query().Get("type") != "job.submitted,job.failed" {
			refuse(w, http.StatusGone, ffrtmp.Compacted, "asked for "+r.RequestURI)
			return
		}
		fmt.Fprint(w, text)
	}
	c := dial(t, client.Config{}, serve(t, handle), serve(t, handle))
	var got []string
	var end error
	for e, err := range c.Events(within(t, time.Minute), "", client.OfTypes(ffrtmp.JobSubmitted, ffrtmp.JobFailed)) {
		if err != nil {
			end = err
			continue
		}
		got = append(got, e.ID().String())
	}
	if fmt.Sprint(got) != "[4.0 4.1 9.1]" {
		t.Errorf("got %v, want [4.0 4.1 9.1]", got)
	}
	if ffrtmp.CodeOf(end) != ffrtmp.Compacted {
		t.Errorf("got the end %v, want Compacted or Canceled", end)
	}
}

// Events end with the loop or the context.
func TestEvents_End(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "id: 4.0\ndata: {\"index\":4,\"n\":0}\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	c := dial(t, client.Config{}, s)
	for e, err := range c.Events(within(t, time.Minute), "0") {
		if err != nil || e.Index != 4 {
			t.Fatalf("got %+v, %v, want an event of index 4", e, err)
		}
		break
	}
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	defer cancel()
	var end error
	for _, err := range c.Events(ctx, "0") {
		end = err
		cancel()
	}
	if !errors.Is(end, context.Canceled) {
		t.Errorf("got the end %v, want Compacted or Canceled", end)
	}
}
