package ui

import (
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// Certificates are listed by expiry and marked when that is soon; a dead master's lag is not known.
func TestClusterPage_Member(t *testing.T) {
	p := clusterPage{ClusterStatus: ffrtmp.ClusterStatus{CommitIndex: 100}}
	now := time.Now()
	m := ffrtmp.Member{AppliedIndex: 97, Certificates: map[string]time.Time{
		"api": now.Add(24 * time.Hour), "api-ca": now.AddDate(1, 0, 0), "peer": now.Add(-time.Hour),
	}}
	list := p.Certificates(m)
	if len(list) != 3 || list[0].Name != "peer" || !list[1].Soon || list[2].Soon {
		t.Errorf("got %+v, want peer, then api, then its authority, which does not expire soon", list)
	}
	if later := p.Later(m); len(later) != 1 || later[0].Name != "api-ca" {
		t.Errorf("got %+v, want the authority alone", later)
	}
	if got := p.Lag(m); got != 3 {
		t.Errorf("got a lag of %d, want 3", got)
	}
	m.AppliedIndex = 101
	if got := p.Lag(m); got != 0 {
		t.Errorf("got a lag of %d ahead of us, want 0", got)
	}
	m.State = ffrtmp.MemberDead
	if got := p.Lag(m); got != -1 {
		t.Errorf("got a lag of %d of a dead master, want -1", got)
	}
}
