package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/hashicorp/raft"
)

const maxName = 63

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// ValidateName reports why a master cannot have the name. A name is never a UUID, so that
// it cannot be taken for another master's id.
func ValidateName(name string) error {
	switch {
	case len(name) > maxName || !namePattern.MatchString(name):
		return fmt.Errorf("must be 1 to %d letters, digits, '.', '_' or '-', and begin with a letter or digit, not %q",
			maxName, name)
	case uuid.Validate(name) == nil:
		return fmt.Errorf("must not be a UUID: %q looks like a master's id", name)
	}
	return nil
}

// nameClaim is the name that a master asks for.
type nameClaim struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Fixed names come from the configuration: no other will do.
	Fixed bool `json:"fixed,omitempty"`
}

// defaultName is the host's name, without what a name cannot have.
func defaultName() string {
	host, err := os.Hostname()
	if err != nil {
		return "master"
	}
	clean := strings.Map(func(r rune) rune {
		if namePattern.MatchString("a" + string(r)) {
			return r
		}
		return '-'
	}, host)
	clean = strings.TrimLeft(clean, "-._")
	clean = clean[:min(len(clean), maxName-9)] // with "-" and 8 digits of the id it still fits
	if ValidateName(clean) != nil {
		return "master"
	}
	return clean
}

// candidates are the names that satisfy the claim, the best first.
func (c nameClaim) candidates() []string {
	switch {
	case c.Name == "":
		return []string{c.ID}
	case c.Fixed:
		return []string{c.Name}
	}
	return []string{c.Name, c.Name + "-" + c.ID[:min(len(c.ID), 8)], c.ID}
}

// choose returns the name that the claim gets, or who holds the only one it takes. A master
// keeps a name that still satisfies its claim.
func (c nameClaim) choose(servers []raft.Server) (name, holder string) {
	held := make(map[string]string, len(servers))
	own := ""
	for _, s := range servers {
		held[string(s.Address)] = string(s.ID)
		if string(s.ID) == c.ID {
			own = string(s.Address)
		}
	}
	candidates := c.candidates()
	if slices.Contains(candidates, own) && own != c.ID {
		return own, ""
	}
	for _, name := range candidates {
		if holder = held[name]; holder == "" || holder == c.ID {
			return name, ""
		}
	}
	return "", holder
}

// nameServers returns the voters of a new cluster. Fixed names are given first; of two
// equal ones the second is replaced by the id, and its master ends when it learns that.
func nameServers(claims []nameClaim) []raft.Server {
	ordered := slices.Clone(claims)
	slices.SortStableFunc(ordered, func(a, b nameClaim) int {
		switch {
		case a.Fixed == b.Fixed:
			return strings.Compare(a.ID, b.ID)
		case a.Fixed:
			return -1
		}
		return 1
	})
	var servers []raft.Server
	for _, c := range ordered {
		name, _ := c.choose(servers)
		if name == "" {
			name = c.ID
		}
		servers = append(servers, raft.Server{
			Suffrage: raft.Voter, ID: raft.ServerID(c.ID), Address: raft.ServerAddress(name),
		})
	}
	return servers
}

// rivals reports whether both claims take one name only, and it is the same.
func (c nameClaim) rivals(other nameClaim) bool {
	return c.Fixed && other.Fixed && c.Name == other.Name
}

// names are the servers' names.
func names(servers []raft.Server) []string {
	list := make([]string, len(servers))
	for i, s := range servers {
		list[i] = string(s.Address)
	}
	return list
}

// NameTakenError says that another master has the name that this one was given.
type NameTakenError struct {
	Name   string `json:"name"`
	Holder string `json:"holder"` // id of the master that has it
	Dead   bool   `json:"dead,omitempty"`
}

func (e *NameTakenError) Error() string {
	if e.Dead {
		return fmt.Sprintf("the name %s is taken by the master %s, which is dead: "+
			"remove it (ffrtmp cluster remove %s), or choose another --name", e.Name, e.Holder, e.Name)
	}
	return fmt.Sprintf("the name %s is taken by the master %s: choose another --name", e.Name, e.Holder)
}

// claim is the name that this master asks for.
func (n *Node) claim() nameClaim {
	if n.cfg.Name != "" {
		return nameClaim{ID: n.id.ID, Name: n.cfg.Name, Fixed: true}
	}
	return nameClaim{ID: n.id.ID, Name: n.defaultName}
}

// Name returns this master's name: the one that it has, or asks for until it is a member.
func (n *Node) Name() string {
	if name := n.nameOf(n.id.ID); name != n.id.ID {
		return name
	}
	return n.claim().Name
}

// nameOf returns a member's name, or the id of a master that has none. The Raft configuration
// has the names where Raft expects addresses: it replicates them, and refuses equal ones.
func (n *Node) nameOf(id string) string {
	if n.raft == nil {
		return id
	}
	for _, s := range n.servers() {
		if string(s.ID) == id {
			return string(s.Address)
		}
	}
	return id
}

// named is a master in a text: its name, and its id unless that is the same.
func (n *Node) named(id string) string {
	if name := n.nameOf(id); name != id {
		return name + " (" + id + ")"
	}
	return id
}

// keepName gives a single master its name once it leads; the configuration may be older
// than the name.
func (n *Node) keepName(ctx context.Context) {
	for {
		changed := n.lead.next()
		if n.IsLeader() {
			if _, err := n.giveName(ctx, n.claim()); err != nil {
				n.log.Warn("cannot name master", "id", n.id.ID, "error", err)
			}
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// giveName gives a master the name that it claims, and makes it a member if it is none. It
// returns a *NameTakenError when another member has the only one. A new master is
// admitted without a name when the holder is dead: it replaces the holder, and gets the
// name once that is removed.
func (n *Node) giveName(ctx context.Context, claim nameClaim) (string, error) {
	servers := n.servers()
	name, holder := claim.choose(servers)
	member := slices.ContainsFunc(servers, func(s raft.Server) bool { return string(s.ID) == claim.ID })
	if holder != "" {
		dead := !n.answers(ctx, holder)
		if !dead || n.nameOf(claim.ID) != claim.ID {
			return "", &NameTakenError{Name: claim.Name, Holder: holder, Dead: dead}
		}
		name = claim.ID
	}
	if member && name == n.nameOf(claim.ID) {
		return name, nil
	}
	before := n.nameOf(claim.ID)
	// Of a member, also of a voter, this changes the address and nothing else.
	if err := n.addNonvoter(ctx, claim.ID, name); err != nil {
		return "", err
	}
	if holder != "" {
		n.log.Warn("a new master asks for the name of a dead one, and gets it when that is removed",
			"id", claim.ID, "name", claim.Name, "dead", holder)
		return name, nil
	}
	n.log.Info("master named", "id", claim.ID, "name", name, "before", before)
	return name, nil
}

// answers reports whether a member answers, or is this master.
func (n *Node) answers(ctx context.Context, id string) bool {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.statusTimeout)
	defer cancel()
	_, err := n.statusOf(ctx, id)
	return err == nil
}

func (n *Node) addNonvoter(ctx context.Context, id, name string) error {
	return n.await(ctx, func() error {
		return n.raft.AddNonvoter(raft.ServerID(id), raft.ServerAddress(name), 0, admitTimeout).Error()
	})
}

// sendNameTaken tells a master that it cannot have the name that it was given.
func (n *Node) sendNameTaken(ctx context.Context, id string, taken *NameTakenError) error {
	if id == n.id.ID {
		n.nameTaken(taken)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return n.peers.call(ctx, id, "name-taken", taken, &struct{}{})
}

// receiveNameTaken serves such a message.
func (n *Node) receiveNameTaken(w http.ResponseWriter, r *http.Request) {
	var taken NameTakenError
	if err := json.NewDecoder(io.LimitReader(r.Body, answerLimit)).Decode(&taken); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(w, http.StatusOK, struct{}{})
	n.nameTaken(&taken)
}

// nameTaken ends this master, if the name is the one that it was given.
func (n *Node) nameTaken(taken *NameTakenError) {
	if n.cfg.Name == taken.Name && taken.Holder != n.id.ID {
		n.fail(taken)
	}
}

// nameRivals ends this master when a smaller id in view was given the same name, and no
// cluster exists yet that decides between them.
func (n *Node) nameRivals(alive []gossipMember) {
	if n.cfg.Name == "" || n.formation.current().Formed {
		return
	}
	if holder := n.claim().rival(alive, n.id.Former); holder != "" {
		n.nameTaken(&NameTakenError{Name: n.cfg.Name, Holder: holder})
	}
}

// rival returns the smaller id in view that was given the same name, or "". Ids that this
// master had before it lost its log may still be in view; they are no rivals. Nor are
// members of a cluster: its leader decides, which knows the dead ones that are still in view.
func (c nameClaim) rival(alive []gossipMember, former []string) string {
	for _, m := range alive {
		if m.claim().rivals(c) && m.ID < c.ID && !m.Formed && !slices.Contains(former, m.ID) {
			return m.ID
		}
	}
	return ""
}
