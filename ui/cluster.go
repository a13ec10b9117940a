package ui

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// clusterPage is what the page of the masters shows.
type clusterPage struct {
	ffrtmp.ClusterStatus
	Voters, Healthy int
}

func clusterStatus(v *visit) error {
	var p clusterPage
	if err := v.get("/cluster", nil, &p.ClusterStatus); err != nil {
		return err
	}
	for i := range p.Members {
		if m := &p.Members[i]; m.Voter {
			p.Voters++
			if m.Healthy {
				p.Healthy++
			}
		}
	}
	v.render(http.StatusOK, "cluster", "Cluster", p)
	return nil
}

// Lag is how many entries a member has yet to apply, or -1 if that is not known.
func (p clusterPage) Lag(m ffrtmp.Member) int64 {
	if m.State == ffrtmp.MemberDead {
		return -1
	}
	return max(0, int64(p.CommitIndex)-int64(m.AppliedIndex)) //nolint:gosec // far below 2^63
}

// expiring is how long before its expiry a certificate is marked.
const expiring = 30 * 24 * time.Hour

// certificate is when a certificate expires.
type certificate struct {
	Name  string
	Until time.Time
	Soon  bool
}

// Certificates lists a member's, the first to expire first.
func (p clusterPage) Certificates(m ffrtmp.Member) []certificate {
	var list []certificate
	for _, name := range slices.Sorted(maps.Keys(m.Certificates)) {
		until := m.Certificates[name]
		list = append(list, certificate{name, until, time.Until(until) < expiring})
	}
	slices.SortStableFunc(list, func(a, b certificate) int { return a.Until.Compare(b.Until) })
	return list
}

// Later lists a member's certificates that the page need not show at once.
func (p clusterPage) Later(m ffrtmp.Member) []certificate {
	list := p.Certificates(m)
	for i := range list {
		if i > 0 && !list[i].Soon {
			return list[i:]
		}
	}
	return nil
}

// Quorum is how many voters must be up.
func (p clusterPage) Quorum() int { return p.Voters/2 + 1 }

// Spare is how many voters may fail now.
func (p clusterPage) Spare() int { return max(0, p.Healthy-p.Quorum()) }

// Without is what the cluster would be without the vote of a member.
func (p clusterPage) Without(m ffrtmp.Member) string {
	voters, healthy := p.Voters, p.Healthy
	if m.Voter {
		voters--
		if m.Healthy {
			healthy--
		}
	}
	return consequence(voters, healthy)
}

// With is what the cluster would be if a member could vote.
func (p clusterPage) With(m ffrtmp.Member) string {
	healthy := p.Healthy
	if m.Healthy {
		healthy++
	}
	return consequence(p.Voters+1, healthy)
}

// consequence says how many masters may fail.
func consequence(voters, healthy int) string {
	spare := healthy - (voters/2 + 1)
	text := fmt.Sprintf("Then %s, %d of them healthy", plural(voters, "master")+" vote", healthy)
	switch {
	case spare < 0:
		return text + ": too few for a quorum, so this will be refused."
	case spare == 0:
		return text + ": none may fail."
	}
	return fmt.Sprintf("%s: %d may fail.", text, spare)
}

// memberVerbs are the forms of a master, and what is said afterwards.
var memberVerbs = map[string]string{
	"promote": "The master votes.", "demote": "The master follows without a vote.",
	"remove": "The master is removed.", "lead": "The leadership is transferred.",
}

func actOnMember(v *visit) error {
	id, verb := v.PathValue("id"), v.PathValue("verb")
	text, ok := memberVerbs[verb]
	if !ok {
		return ffrtmp.Errorf(ffrtmp.NotFound, "this page does not exist")
	}
	path := "/cluster/members/" + url.PathEscape(id)
	var err error
	switch verb {
	case "lead":
		err = v.send(http.MethodPost, "/cluster/leader/transfer", nil, ffrtmp.Leadership{Member: id}, nil)
	case "remove":
		err = v.send(http.MethodDelete, path, nil, struct{}{}, nil)
	default:
		err = v.send(http.MethodPost, path+"/"+verb, nil, struct{}{}, nil)
	}
	if err != nil {
		return err
	}
	v.back(notice{Text: text})
	return nil
}
