package fsm

import (
	"context"
	"database/sql/driver"
	"maps"

	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// Settings of the cluster itself are texts under keys that package cluster chooses.

var (
	selectSettings = store.Prepared(`SELECT key, value FROM cluster_setting ORDER BY key`)
	upsertSetting  = store.Prepared(`INSERT INTO cluster_setting (key, value) VALUES (?, ?)
	ON CONFLICT (key) DO UPDATE SET value = excluded.value`)
	deleteSetting = store.Prepared(`DELETE FROM cluster_setting WHERE key = ?`)
)

func (s *state) loadSettings() error {
	row := make([]driver.Value, 2)
	return s.DB.Each(row, func() error {
		s.settings[store.Text(row[0])] = store.Text(row[1])
		return nil
	}, selectSettings)
}

// Setting is a change of the settings, and what it means in the audit log.
type Setting struct {
	Action, Target, Detail string
	Key                    string
	Value                  string // "" removes the key
}

type setting struct {
	v1
	Setting
}

func (*setting) kind() Kind { return KindSetting }
func (c *setting) encode(e *encoder) {
	e.texts(c.Action, c.Target, c.Detail, c.Key, c.Value)
}

func decodeSetting(d *decoder) command {
	return &setting{Setting: Setting{
		Action: d.string(), Target: d.string(), Detail: d.string(), Key: d.string(), Value: d.string(),
	}}
}

// isSet is the result of a setting.
type isSet struct{}

func (c *setting) apply(t *tx) any {
	t.set(c.Key, c.Value)
	return isSet{}
}

// set changes a setting; the value "" removes it.
func (t *tx) set(key, value string) {
	if value == "" {
		delete(t.settings, key)
		t.exec(deleteSetting, key)
	} else {
		t.settings[key] = value
		t.exec(upsertSetting, key, value)
	}
	t.reset = true
}

func (c *setting) audit(*tx) entry {
	return entry{action: c.Action, target: c.Target, detail: c.Detail}
}

// Set changes a setting of the cluster.
func (p *Proposer) Set(ctx context.Context, change Setting) (uint64, error) {
	index, _, err := propose[isSet](ctx, p, Idempotency{}, &setting{Setting: change})
	return index, err
}

// publishSettings replaces the settings that others read.
func (f *FSM) publishSettings(s *state) {
	next := maps.Clone(s.settings)
	f.settings.Store(&next)
}

// Setting returns a setting of the cluster, "" when it is not set. It does not wait for
// entries to be applied.
func (f *FSM) Setting(key string) string { return (*f.settings.Load())[key] }
