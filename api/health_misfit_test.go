package api

import (
	"errors"
	"slices"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// Masters that do not fit are warnings of a ready master, and reasons of one that is not.
func TestHealthReady_Misfits(t *testing.T) {
	m := newMaster(t)
	m.cluster.misfits = []string{"cannot work with m2: it uses another gossip key"}
	var h ffrtmp.Health
	m.want(200, "GET", "/health/ready", "").decode(t, &h)
	if !slices.Contains(h.Warnings, m.cluster.misfits[0]) {
		t.Errorf("got warnings %q, want the misfit among them", h.Warnings)
	}
	m.cluster.readyErr = errors.New("no leader is known")
	m.want(503, "GET", "/health/ready", "").decode(t, &h)
	if want := []string{"no leader is known", m.cluster.misfits[0]}; !slices.Equal(h.Reasons, want) {
		t.Errorf("got reasons %q, want %q", h.Reasons, want)
	}
}
