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

// TestEvents_GoOnWhereTheyWereLeft has every stream break after an event, in the
// middle of the next, or after a mere place.
func TestEvents_GoOnWhereTheyWereLeft(t *testing.T) {
	streams := map[string]string{
		"":    ": keep-alive\nid: 3.0\n\nid: 4.0\nevent: job.submitted\ndata: {\"index\":4,\"n\":0,\"type\":\"job.submitted\"}\n\nid: 4.1\nevent: job.sub",
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
	for e, err := range c.Events(within(t, 20*time.Second), "", client.OfTypes(ffrtmp.JobSubmitted, ffrtmp.JobFailed)) {
		if err != nil {
			end = err
			continue
		}
		got = append(got, e.ID().String())
	}
	if fmt.Sprint(got) != "[4.0 4.1 9.1]" {
		t.Errorf("got %v", got)
	}
	if ffrtmp.CodeOf(end) != ffrtmp.Compacted {
		t.Errorf("ended with %v", end)
	}
}

func TestEvents_EndWithTheLoopOrTheContext(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "id: 4.0\ndata: {\"index\":4,\"n\":0}\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	c := dial(t, client.Config{}, s)
	for e, err := range c.Events(within(t, 20*time.Second), "0") {
		if err != nil || e.Index != 4 {
			t.Fatalf("%+v, %v", e, err)
		}
		break
	}
	ctx, cancel := context.WithCancel(within(t, 20*time.Second))
	defer cancel()
	var end error
	for _, err := range c.Events(ctx, "0") {
		end = err
		cancel()
	}
	if !errors.Is(end, context.Canceled) {
		t.Errorf("ended with %v", end)
	}
}
