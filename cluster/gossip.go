package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/memberlist"
)

const (
	gossipTick   = 500 * time.Millisecond
	joinPause    = time.Second
	joinAgain    = 30 // pauses between two attempts when no master is missing
	leaveTimeout = 500 * time.Millisecond
)

// gossipMeta is the metadata that a master sends about itself. memberlist carries
// at most 512 bytes.
type gossipMeta struct {
	Peer    string `json:"p"`           // host:port of the peer port
	APIURL  string `json:"u,omitempty"` // where clients reach it
	Metrics int    `json:"m,omitempty"` // port of its metrics, on the API's host
	Version string `json:"v,omitempty"`
	Expect  int    `json:"e,omitempty"`
	Cluster string `json:"c,omitempty"` // the cluster id it has voted for
	Formed  bool   `json:"f,omitempty"` // it has history
	Starts  uint64 `json:"s"`           // see identity
	Level   int    `json:"l,omitempty"` // command level
	Run     string `json:"r"`           // names the process, see hello
	Name    string `json:"n,omitempty"` // the name that it asks for
	Fixed   bool   `json:"x,omitempty"` // and no other, see nameClaim
	// Nonvoter shall never vote; Removed was taken out of its cluster.
	Nonvoter bool `json:"nv,omitempty"`
	Removed  bool `json:"rm,omitempty"`
}

// gossipMember is a master that gossip considers alive.
type gossipMember struct {
	gossipMeta
	ID     string
	Gossip string // host:port
}

func (m gossipMember) claim() nameClaim { return nameClaim{ID: m.ID, Name: m.Name, Fixed: m.Fixed} }

// gossip discovers the other masters and sends them this one's metadata. It never
// decides who belongs to the cluster.
type gossip struct {
	list *memberlist.Memberlist
	join []string
	log  hclog.Logger
	// misfits takes in masters whose gossip cannot be understood.
	misfits *misfits
	// missing reports whether the view lacks masters, and other addresses than
	// join at which they may be found.
	missing func(alive []gossipMember) (addrs []string, missing bool)
	// meta returns the current metadata.
	meta func() gossipMeta

	// changed holds a token while the view may have changed. One token stands
	// for any number of memberlist's events.
	changed chan struct{}

	mu        sync.Mutex
	view      map[string]gossipMember
	sent      []byte          // meta as last sent
	attempted bool            // every address of join was tried once
	hungUp    map[string]bool // addresses where the last attempt to join was cut off
}

type gossipConfig struct {
	id, cluster     string
	bind, advertise string
	port            int
	keyring         *memberlist.Keyring
	join            []string
	meta            func() gossipMeta
	missing         func([]gossipMember) ([]string, bool)
	misfits         *misfits
	log             hclog.Logger
}

func openGossip(c gossipConfig) (*gossip, error) {
	g := &gossip{
		join: c.join, log: c.log, meta: c.meta, missing: c.missing, misfits: c.misfits,
		changed: make(chan struct{}, 1), view: make(map[string]gossipMember), hungUp: map[string]bool{},
	}
	if err := g.refresh(); err != nil {
		return nil, err
	}
	conf := memberlist.DefaultLANConfig()
	conf.Name = c.id
	conf.Label = c.cluster
	conf.Keyring = c.keyring
	if c.bind != "" {
		conf.BindAddr = c.bind
	}
	conf.BindPort, conf.AdvertisePort = c.port, c.port
	conf.AdvertiseAddr = c.advertise
	conf.Delegate, conf.Events = (*gossipDelegate)(g), (*gossipEvents)(g)
	conf.Logger = c.log.StandardLogger(&hclog.StandardLoggerOptions{InferLevels: true})
	conf.Logger.SetOutput(faultWriter{c.misfits, conf.Logger.Writer()})
	// A few masters can afford to probe each other often.
	conf.TCPTimeout = 3 * time.Second
	conf.ProbeInterval, conf.ProbeTimeout = 500*time.Millisecond, 250*time.Millisecond
	conf.GossipInterval = 100 * time.Millisecond
	conf.PushPullInterval = 5 * time.Second
	// A restarted master may return with another address at once.
	conf.DeadNodeReclaimTime = time.Nanosecond
	list, err := memberlist.Create(conf)
	if err != nil {
		return nil, fmt.Errorf("gossip: %w", err)
	}
	g.list = list
	return g, nil
}

// addr returns where others reach this master's gossip.
func (g *gossip) addr() string { return g.list.LocalNode().Address() }

// alive returns the masters in view, including this one, ordered by id.
func (g *gossip) alive() []gossipMember {
	g.mu.Lock()
	defer g.mu.Unlock()
	members := slices.Collect(maps.Values(g.view))
	slices.SortFunc(members, func(a, b gossipMember) int { return strings.Compare(a.ID, b.ID) })
	return members
}

// triedAll reports whether every address to join has been tried once.
func (g *gossip) triedAll() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.attempted
}

// run calls onView with the view whenever it changes, and every tick.
func (g *gossip) run(ctx context.Context, onView func(context.Context, []gossipMember)) {
	tick := time.NewTicker(gossipTick)
	defer tick.Stop()
	for {
		if err := g.sendMeta(); err != nil {
			g.log.Warn("cannot send metadata", "error", err)
		}
		onView(ctx, g.alive())
		select {
		case <-ctx.Done():
			return
		case <-g.changed:
		case <-tick.C:
		}
	}
}

// keepJoining joins the others whenever one is missing, and now and then those of join: they
// may be of another cluster, which both have to report.
func (g *gossip) keepJoining(ctx context.Context) {
	tick := time.NewTicker(joinPause)
	defer tick.Stop()
	for n := 0; ; n++ {
		if addrs, missing := g.missing(g.alive()); missing || n%joinAgain == 0 {
			g.joinOnce(ctx, append(slices.Clone(g.join), addrs...))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// joinOnce tries all addresses concurrently: one that does not answer must not
// delay the others. Names are resolved at every attempt, and joining oneself is
// harmless.
func (g *gossip) joinOnce(ctx context.Context, addrs []string) {
	var wg sync.WaitGroup
	for _, a := range addrs {
		wg.Go(func() {
			ips, err := resolve(ctx, a)
			if err == nil {
				_, err = g.list.Join(ips)
			}
			if err != nil {
				g.log.Debug("cannot join", "address", a, "error", err)
			}
			g.judge(a, err)
		})
	}
	wg.Wait()
	g.mu.Lock()
	g.attempted = true
	g.mu.Unlock()
}

// judge finds out why a master cannot be joined. One that stops hangs up, too, but not
// twice in a row.
func (g *gossip) judge(address string, err error) {
	reason := ""
	if err != nil {
		reason = gossipFault(err.Error())
	}
	g.mu.Lock()
	again := g.hungUp[address]
	g.hungUp[address] = reason == cutOff
	g.mu.Unlock()
	if reason != "" && (reason != cutOff || again) {
		g.misfits.meet("the master at "+address, reason)
	}
}

// refresh encodes the metadata.
func (g *gossip) refresh() error {
	data, err := json.Marshal(g.meta())
	if err != nil {
		return err
	}
	if len(data) > memberlist.MetaMaxSize {
		return fmt.Errorf("gossip: addresses and version take %d bytes; at most %d fit",
			len(data), memberlist.MetaMaxSize)
	}
	g.mu.Lock()
	g.sent = data
	g.mu.Unlock()
	return nil
}

// sendMeta sends the metadata to the others when it has changed.
func (g *gossip) sendMeta() error {
	g.mu.Lock()
	before := g.sent
	g.mu.Unlock()
	if err := g.refresh(); err != nil {
		return err
	}
	g.mu.Lock()
	same := string(before) == string(g.sent)
	g.mu.Unlock()
	if same {
		return nil
	}
	return g.list.UpdateNode(leaveTimeout)
}

// close announces that this master leaves on purpose, and stops.
func (g *gossip) close() error {
	if err := g.list.Leave(leaveTimeout); err != nil {
		g.log.Debug("cannot announce leaving", "error", err) // no other member is up
	}
	return g.list.Shutdown()
}

// gossipEvents updates the view. memberlist calls it with its lock held, the only
// time at which a node may be read.
type gossipEvents gossip

// NotifyJoin implements memberlist.EventDelegate.
func (e *gossipEvents) NotifyJoin(n *memberlist.Node) { e.NotifyUpdate(n) }

// NotifyUpdate implements memberlist.EventDelegate.
func (e *gossipEvents) NotifyUpdate(n *memberlist.Node) {
	m := gossipMember{ID: n.Name, Gossip: n.Address()}
	if err := json.Unmarshal(n.Meta, &m.gossipMeta); err != nil {
		e.log.Warn("member sent malformed metadata", "id", n.Name, "error", err)
		return
	}
	e.set(func() { e.view[m.ID] = m })
}

// NotifyLeave implements memberlist.EventDelegate.
func (e *gossipEvents) NotifyLeave(n *memberlist.Node) {
	id := n.Name
	e.set(func() { delete(e.view, id) })
}

func (e *gossipEvents) set(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

// gossipDelegate supplies the metadata; there are no user messages.
type gossipDelegate gossip

func (d *gossipDelegate) NodeMeta(int) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sent
}

func (*gossipDelegate) NotifyMsg([]byte)                {}
func (*gossipDelegate) GetBroadcasts(int, int) [][]byte { return nil }
func (*gossipDelegate) LocalState(bool) []byte          { return nil }
func (*gossipDelegate) MergeRemoteState([]byte, bool)   {}
