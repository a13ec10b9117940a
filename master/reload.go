package master

import (
	"net/http"
	"sync/atomic"

	"github.com/ffrtmp/ffrtmp/api"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

// Reload reads certificates and the API key again. It logs unusable ones and keeps the old. Changed certificate files
// are noticed without it. It does not read gossip keys: they are rotated in three steps over the whole cluster.
func (m *Master) Reload() {
	m.logger.Info("reloading certificates and API key")
	if err := m.certs.Reload(); err != nil {
		m.logger.Error("cannot use certificate files; keeping the old ones", "error", err)
	}
	key, err := m.config.readAPIKey()
	switch {
	case err != nil:
		m.logger.Error("cannot read the API key; keeping the old one", "error", err)
	case key == "" && !m.keys.current.Load().open:
		m.logger.Error("the API key is empty; keeping the old one: a running master is not opened to everybody")
	default:
		m.keys.set(key)
	}
}

// keys authenticates by the bootstrap key in force and the keys of the state.
type keys struct {
	state   *fsm.FSM
	current atomic.Pointer[authenticator]
}

type authenticator struct {
	open bool // no bootstrap key: everybody is let in
	api.Authenticator
}

func newKeys(state *fsm.FSM, bootstrap string) *keys {
	k := &keys{state: state}
	k.set(bootstrap)
	return k
}

// set puts bootstrap keys in force, one a line; "" lets everybody in.
func (k *keys) set(bootstrap string) {
	lines := flags.Keys(bootstrap)
	k.current.Store(&authenticator{len(lines) == 0, api.Keys(k.state, lines...)})
}

// Authenticate implements api.Authenticator.
func (k *keys) Authenticate(r *http.Request) (api.Principal, error) {
	return k.current.Load().Authenticate(r)
}
