package main

import (
	"net/http"
	"sync/atomic"

	"github.com/ffrtmp/ffrtmp/api"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// reload reads again what may change while the master runs: certificates (which are
// followed anyhow) and the bootstrap key. What cannot be used stays as it was. Gossip
// keys are not among them: they are replaced in three steps over the whole cluster.
func (m *master) reload() {
	m.logger.Info("SIGHUP: reading certificates and API key again")
	if err := m.certs.Reload(); err != nil {
		m.logger.Error("certificate files cannot be used, keeping the old ones", "error", err)
	}
	key, err := m.config.bootstrapKey()
	switch {
	case err != nil:
		m.logger.Error("the API key cannot be read, keeping the old one", "error", err)
	case key == "" && !m.keys.current.Load().open:
		m.logger.Error("the API key has become empty, keeping the old one: a running master is not opened to everybody")
	default:
		m.keys.set(key)
	}
}

// keys authenticates by the bootstrap key in force and the keys of the state.
type keys struct {
	state   *fsm.FSM
	current atomic.Pointer[bootstrapped]
}

type bootstrapped struct {
	open bool // there is no bootstrap key: everybody is let in
	api.Authenticator
}

func newKeys(state *fsm.FSM, bootstrap string) *keys {
	k := &keys{state: state}
	k.set(bootstrap)
	return k
}

// set puts a bootstrap key in force; "" lets everybody in.
func (k *keys) set(bootstrap string) {
	if bootstrap == "" {
		k.current.Store(&bootstrapped{true, api.Keys(k.state)})
		return
	}
	k.current.Store(&bootstrapped{false, api.Keys(k.state, bootstrap)})
}

// Authenticate implements api.Authenticator.
func (k *keys) Authenticate(r *http.Request) (api.Principal, error) {
	return k.current.Load().Authenticate(r)
}
