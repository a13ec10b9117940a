package cluster

import (
	"io"
	"net/http"
	"testing"
)

func TestThreeMastersFormApplyAndForward(t *testing.T) {
	masters := form(t, newAuthority(t), 3)
	write(t, "one", masters...)
	waitApplied(t, "one", masters...)

	f := follower(t, masters...)
	resp, err := post(t, f, "two")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("forwarded write answered %d %q (%v)", resp.StatusCode, body, err)
	}
	waitApplied(t, "two", masters...)

	for _, m := range masters {
		if got := m.ClusterID(); got == "" || got != masters[0].ClusterID() {
			t.Errorf("cluster id %q, want %q", got, masters[0].ClusterID())
		}
	}
}
