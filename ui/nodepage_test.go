package ui_test

import (
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// The list of nodes says what each runs; a node's page draws its load and says how fast its encoders were.
func TestConsole_NodeWork(t *testing.T) {
	b := signedIn(t)
	b.register()
	done := b.claim(ffrtmp.Spec{Scenario: "720p", Parameters: []byte(`{"codec":"libx264"}`)})
	series := &ffrtmp.Series{
		Seconds: []int{2, 4}, FPS: []float64{1, 1}, Speed: []float64{3, 4}, Kilobits: []float64{1, 1},
	}
	result := ffrtmp.Result{Output: &ffrtmp.Output{Path: "/a.mp4"}}
	b.report(done, result, ffrtmp.ResultPublishing)
	result.Media = &ffrtmp.Media{Series: series}
	b.report(done, result, ffrtmp.ResultCompleted)
	b.claim(ffrtmp.Spec{Scenario: "480p"})
	if text := b.get("/ui/nodes").text; !strings.Contains(text, `#2 <span class="faint">480p 0%</span>`) {
		t.Error("got no running job, want number 2")
	}
	text := b.get("/ui/nodes/" + nodeID).text
	for _, want := range []string{
		"<code>libx264</code></dt><dd>3.5× in 1 job", "Slots taken, 6h 00m ago to now",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("got no %q, want it", want)
		}
	}
}
