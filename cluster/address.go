package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const addressFile = "addresses.json"

// resolveTimeout bounds the lookup of a name.
const resolveTimeout = 2 * time.Second

// errUnknownMember is returned for an id whose address is not known yet.
var errUnknownMember = errors.New("address of member is unknown")

// address is where a member can be reached and what it can do, since one of its
// starts.
type address struct {
	Peer   string `json:"peer"`   // host:port of Raft and forwarding
	Gossip string `json:"gossip"` // host:port of memberlist
	APIURL string `json:"api_url"`
	// MetricsPort is on the API's host; 0 = none.
	MetricsPort int `json:"metrics_port,omitempty"`
	Level       int `json:"command_level"` // highest command kind that it can apply
	// Starts is the member's own count of its starts (see identity).
	Starts uint64 `json:"starts"`
}

// addressBook stores the newest address of every member ever seen, across
// restarts. Safe for concurrent use.
type addressBook struct {
	storage *storage
	log     hclog.Logger

	mu    sync.Mutex
	known map[string]address
}

// openAddressBook reads the file. A damaged one counts as missing.
func openAddressBook(s *storage, log hclog.Logger) *addressBook {
	b := &addressBook{storage: s, log: log}
	if err := s.load(addressFile, &b.known); err != nil {
		log.Warn("member addresses are forgotten; gossip finds them again", "error", err)
	}
	if b.known == nil {
		b.known = make(map[string]address)
	}
	return b
}

// learn stores an address unless one of a later start is known.
func (b *addressBook) learn(id string, a address) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, ok := b.known[id]
	if ok && a.Starts < old.Starts {
		return
	}
	b.storeLocked(id, a)
}

// replace stores the address that a member itself has given: it is alive there,
// whatever a process with a later start has claimed.
func (b *addressBook) replace(id string, a address) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.storeLocked(id, a)
}

func (b *addressBook) storeLocked(id string, a address) {
	if old, ok := b.known[id]; ok && old == a {
		return
	}
	b.known[id] = a
	if err := b.storage.save(addressFile, b.known); err != nil {
		// The address works until the next restart; then gossip finds it.
		b.log.Warn("cannot save member addresses", "error", err)
	}
}

// remove deletes a member that was removed from the configuration.
func (b *addressBook) remove(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.known, id)
}

func (b *addressBook) lookup(id string) (address, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, ok := b.known[id]
	return a, ok
}

// advertisedHost returns what others dial when nothing is configured.
func advertisedHost(bind string) (string, error) {
	if ip := net.ParseIP(bind); ip != nil && !ip.IsUnspecified() {
		return bind, nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "", fmt.Errorf("advertised address: %w", err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsPrivate() && n.IP.To4() != nil {
			return n.IP.String(), nil
		}
	}
	return "127.0.0.1", nil
}

// resolve returns every host:port to which the name in addr resolves.
func resolve(ctx context.Context, addr string) ([]string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, err
	}
	for i, ip := range ips {
		ips[i] = net.JoinHostPort(ip, port)
	}
	return ips, nil
}

// resolveIP returns an IP of the host, as memberlist needs one. For a name that
// cannot be resolved yet it returns the first private address.
func resolveIP(ctx context.Context, host string) (string, error) {
	if net.ParseIP(host) != nil {
		return host, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	if ips, err := net.DefaultResolver.LookupIP(ctx, "ip", host); err == nil && len(ips) > 0 {
		return ips[0].String(), nil
	}
	return advertisedHost("")
}
