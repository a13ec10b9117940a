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

// resolveTimeout bounds the look-up of a name.
const resolveTimeout = 2 * time.Second

// errUnknownMember is returned for an id whose address nobody has told yet.
var errUnknownMember = errors.New("no address is known")

// address is where one member can be reached and what it can do, as of one of
// its starts.
type address struct {
	Peer   string `json:"peer"`   // host:port of Raft and forwarding
	Gossip string `json:"gossip"` // host:port of memberlist
	APIURL string `json:"api_url"`
	Level  int    `json:"command_level"` // highest command kind that it can apply
	// Starts is the member's own count of its starts (see identity).
	Starts uint64 `json:"starts"`
}

// addressBook holds the newest address of every member ever met, over
// restarts. Safe for concurrent use.
type addressBook struct {
	storage *storage
	log     hclog.Logger

	mu    sync.Mutex
	known map[string]address
}

func openAddressBook(s *storage, log hclog.Logger) (*addressBook, error) {
	b := &addressBook{storage: s, log: log, known: make(map[string]address)}
	if err := s.load(addressFile, &b.known); err != nil {
		return nil, fmt.Errorf("known addresses: %w", err)
	}
	return b, nil
}

// learn takes in an address unless a later start's is known already.
func (b *addressBook) learn(id string, a address) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, ok := b.known[id]
	if ok && (old == a || a.Starts < old.Starts) {
		return
	}
	b.known[id] = a
	if err := b.storage.save(addressFile, b.known); err != nil {
		// The address works until the next restart, and gossip finds it then.
		b.log.Warn("addresses could not be kept", "error", err)
	}
}

// forget drops a member that has left the configuration for good.
func (b *addressBook) forget(id string) {
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

// advertisedHost is what others dial when nothing was configured.
func advertisedHost(bind string) (string, error) {
	if ip := net.ParseIP(bind); ip != nil && !ip.IsUnspecified() {
		return bind, nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "", fmt.Errorf("advertise: %w", err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsPrivate() && n.IP.To4() != nil {
			return n.IP.String(), nil
		}
	}
	return "127.0.0.1", nil
}

// resolve returns every host:port that the name in addr stands for now.
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

// resolveIP returns an IP of the host, which memberlist needs; the first
// private address stands in for a name that cannot be resolved yet.
func resolveIP(host string) (string, error) {
	if net.ParseIP(host) != nil {
		return host, nil
	}
	ctx, cancel := timeoutContext(resolveTimeout)
	defer cancel()
	if ips, err := net.DefaultResolver.LookupIP(ctx, "ip", host); err == nil && len(ips) > 0 {
		return ips[0].String(), nil
	}
	return advertisedHost("")
}
