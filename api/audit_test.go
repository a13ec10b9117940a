package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ffrtmp/ffrtmp"
)

func (m *master) audit(query string) ffrtmp.AuditList {
	m.t.Helper()
	var list ffrtmp.AuditList
	m.want(200, "GET", "/audit"+query, "").decode(m.t, &list)
	return list
}

// A forwarded request is recorded with its real client, and no client can forge one.
func TestAudit_ForwardedRequest(t *testing.T) {
	leader, follower, _ := pair(t)
	k, own := leader.createKey(`{"name":"ops","scopes":["admin"]}`)
	leader.submit(`{"scenario":"720p"}`)
	start := time.Now().Add(-time.Second)
	for _, m := range []*master{leader, follower} {
		m.want(200, "POST", "/jobs/1/pause", "", append(own, "X-Request-Id", "r-"+m.cluster.id,
			"X-Ffrtmp-Source", "6.6.6.6", "X-Ffrtmp-Forwarded", "evil", "X-Forwarded-For", "6.6.6.6")...)
		m.want(200, "POST", "/jobs/1/resume", "", own...)
	}
	leader.want(409, "POST", "/jobs/1/resume", "", own...)
	leader.cluster.others = append(leader.cluster.others, leader.cluster.Members()...) // another voter
	leader.want(200, "POST", "/cluster/leader/transfer", "")

	list := follower.audit("?limit=100")
	var actions []string
	for _, r := range list.Records {
		actions = append(actions, r.Principal+" "+r.Action+" "+r.Outcome)
		if r.Source != "127.0.0.1" || r.Time.Before(start.Add(-time.Minute)) || r.RequestID == "" {
			t.Errorf("got %+v, want a source, the time and a request id", r)
		}
	}
	if diff := cmp.Diff([]string{
		"bootstrap leader.transfer requested",
		k.ID + " job.resume conflict",
		k.ID + " job.resume ok",
		k.ID + " job.pause ok",
		k.ID + " job.resume ok",
		k.ID + " job.pause ok",
		"bootstrap key.create ok",
	}, actions); diff != "" {
		t.Fatal(diff)
	}
	if got := []string{
		list.Records[3].RequestID,
		list.Records[5].RequestID,
		list.Records[3].KeyName,
	}; !cmp.Equal(got, []string{"r-m2", "r-m1", "ops"}) {
		t.Errorf("got %q, want r-m2, r-m1, ops", got)
	}
	if first := leader.audit("?limit=2"); first.Count != 2 || first.NextCursor == "" {
		t.Errorf("got %+v, want 2 records and a cursor", first)
	} else if second := leader.audit("?limit=2&cursor=" + first.NextCursor); second.Records[0] != list.Records[2] {
		t.Errorf("got %+v, want %+v first", second, list.Records[2])
	}
	if got := leader.audit("?since=" + time.Now().Add(time.Hour).UTC().Format(time.RFC3339)); got.Count != 0 ||
		got.Records == nil {
		t.Errorf("got %+v, want an empty list", got)
	}
	for query, field := range map[string]string{
		"?limit=0": "limit", "?limit=10001": "limit", "?since=yesterday": "since", "?cursor=1": "cursor",
	} {
		var p problem
		leader.want(http.StatusBadRequest, "GET", "/audit"+query, "").decode(t, &p)
		if p.Field != field {
			t.Errorf("%s: got field %q, want %q: %s", query, p.Field, field, p.Error)
		}
	}
}
