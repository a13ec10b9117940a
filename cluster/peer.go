package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// pathPrefix is where the members' own requests live on the peer port; every
// other path belongs to Config.Forward.
const pathPrefix = "/_cluster/v1/"

const (
	headerCluster = "X-Ffrtmp-Cluster-Id"
	answerLimit   = 64 << 10
)

// peerClient dials members by id and speaks HTTP/2 to them.
type peerClient struct {
	book   lookup
	config *tls.Config
	http   *http.Transport
}

// lookup knows where members can be dialed.
type lookup interface {
	lookup(id string) (address, bool)
}

func newPeerClient(book lookup, config *tls.Config) *peerClient {
	p := &peerClient{book: book, config: config}
	p.http = &http.Transport{
		DialTLSContext: func(ctx context.Context, _, hostport string) (net.Conn, error) {
			id, _, err := net.SplitHostPort(hostport)
			if err != nil {
				return nil, err
			}
			ctx, cancel := context.WithTimeout(ctx, dialTimeout)
			defer cancel()
			return p.dial(ctx, id, protocolHTTP)
		},
		ForceAttemptHTTP2:  true,
		DisableCompression: true, // bodies pass through as they are
		IdleConnTimeout:    5 * time.Minute,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: 2 * time.Second, // a frozen peer is found within four
			PingTimeout:     2 * time.Second,
		},
	}
	return p
}

// dial opens a TLS connection to a member at its newest address.
func (p *peerClient) dial(ctx context.Context, id, protocol string) (*tls.Conn, error) {
	a, ok := p.book.lookup(id)
	if !ok {
		return nil, errUnknownMember
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", a.Peer)
	if err != nil {
		return nil, err
	}
	config := p.config.Clone()
	config.NextProtos = []string{protocol}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	if got := secure.ConnectionState().NegotiatedProtocol; got != protocol {
		conn.Close()
		return nil, fmt.Errorf("%s does not speak %s", a.Peer, protocol)
	}
	return secure, nil
}

// answerError is an answer other than 200.
type answerError struct {
	Status int
	Body   string
}

func (e *answerError) Error() string {
	return fmt.Sprintf("answered %d: %s", e.Status, strings.TrimSpace(e.Body))
}

// call sends one of the members' own requests to id and decodes the answer.
// With a nil request it is a GET.
func (p *peerClient) call(ctx context.Context, id, path string, request, answer any) error {
	method, body := http.MethodGet, []byte(nil)
	if request != nil {
		var err error
		if body, err = json.Marshal(request); err != nil {
			return err
		}
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, "https://"+id+pathPrefix+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := p.http.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("%s of %s: %w", path, id, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return fmt.Errorf("%s of %s: %w", path, id, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s of %s: %w", path, id, &answerError{Status: resp.StatusCode, Body: string(data)})
	}
	return json.Unmarshal(data, answer)
}

// closeIdle closes the connections that carry no request.
func (p *peerClient) closeIdle() { p.http.CloseIdleConnections() }

// newPeerHandler is the HTTP/2 side of the peer port.
func newPeerHandler(n *Node) http.Handler {
	own := http.NewServeMux()
	own.HandleFunc("GET "+pathPrefix+"status", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, n.status())
	})
	own.HandleFunc("POST "+pathPrefix+"bootstrap-vote", func(w http.ResponseWriter, r *http.Request) {
		var p bootstrapVote
		if err := json.NewDecoder(io.LimitReader(r.Body, answerLimit)).Decode(&p); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		held, err := n.formation.consider(p)
		switch {
		case errors.Is(err, errVoteHeld):
			writeJSON(w, http.StatusConflict, held)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			writeJSON(w, http.StatusOK, held)
		}
	})
	own.HandleFunc("POST "+pathPrefix+"name-taken", n.receiveNameTaken)
	own.HandleFunc("POST "+pathPrefix+"removed", n.receiveRemoved)
	n.serveReplica(own)
	own.HandleFunc("GET "+pathPrefix+"gossip-keys", n.receiveKeys)
	own.HandleFunc("POST "+pathPrefix+"gossip-keys", n.receiveKeys)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Host != n.id.ID:
			// The address has changed hands since the sender learned it.
			http.Error(w, "this is "+n.id.ID, http.StatusMisdirectedRequest)
		case strings.HasPrefix(r.URL.Path, pathPrefix):
			own.ServeHTTP(w, r)
		case r.Header.Get(headerCluster) != n.formation.clusterID():
			http.Error(w, "this is a member of another cluster", http.StatusMisdirectedRequest)
		default:
			n.cfg.Forward.ServeHTTP(w, r)
		}
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the peer that cannot read it has gone
}
