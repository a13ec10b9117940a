package certs

import (
	"errors"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
)

// Identities are the stores of a process by their names in metrics. Once all are open, it is safe for concurrent use.
type Identities struct{ list []named }

type named struct {
	name string
	*Store
}

// Open opens a store and adds it under a name. The same files are opened once, whatever their number of names.
func (ids *Identities) Open(name string, files Files, logger hclog.Logger) (*Store, error) {
	same := slices.IndexFunc(ids.list, func(n named) bool { return n.files == files })
	if same >= 0 {
		ids.list = append(ids.list, named{name, ids.list[same].Store})
		return ids.list[same].Store, nil
	}
	s, err := Open(files, logger)
	if err != nil {
		return nil, err
	}
	ids.list = append(ids.list, named{name, s})
	return s, nil
}

// stores are the distinct stores.
func (ids *Identities) stores() []*Store {
	var list []*Store
	for _, n := range ids.list {
		if !slices.Contains(list, n.Store) {
			list = append(list, n.Store)
		}
	}
	return list
}

// Reload reads all files now, changed or not. A store whose files cannot be loaded stays as it was.
func (ids *Identities) Reload() error {
	var errs []error
	for _, s := range ids.stores() {
		errs = append(errs, s.Reload())
	}
	return errors.Join(errs...)
}

// Health combines the health of all stores.
func (ids *Identities) Health() (warnings []string, err error) {
	now := time.Now()
	for _, s := range ids.stores() {
		w, e := s.Health(now)
		warnings, err = append(warnings, w...), errors.Join(err, e)
	}
	return warnings, err
}

// Collector serves metrics whose names begin with prefix: the time until the current certificates expire. The label is
// cert=NAME for the certificate of a store and cert=NAME-ca for the first of its authorities to expire.
func (ids *Identities) Collector(prefix string) prometheus.Collector {
	return &collector{
		ids: ids,
		expiry: prometheus.NewDesc(prefix+"certificate_expiry_seconds",
			"Time until the current certificate expires.", []string{"cert"}, nil),
		loaded: prometheus.NewDesc(prefix+"certificate_last_reload_successful",
			"Whether the last reload of the certificate files succeeded.", []string{"cert"}, nil),
	}
}

// Expiry returns when the current certificates expire, by the names of Collector.
func (ids *Identities) Expiry() map[string]time.Time {
	times := map[string]time.Time{}
	for _, n := range ids.list {
		if n.files == (Files{}) {
			continue
		}
		creds := n.current()
		if creds.cert != nil {
			times[n.name] = creds.cert.Leaf.NotAfter
		}
		for _, a := range creds.authorities {
			if first, ok := times[n.name+"-ca"]; !ok || a.NotAfter.Before(first) {
				times[n.name+"-ca"] = a.NotAfter
			}
		}
	}
	return times
}

type collector struct {
	ids            *Identities
	expiry, loaded *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) { ch <- c.expiry; ch <- c.loaded }

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	now := time.Now()
	gauge := func(desc *prometheus.Desc, value float64, name string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, name)
	}
	for name, at := range c.ids.Expiry() {
		gauge(c.expiry, at.Sub(now).Seconds(), name)
	}
	for _, n := range c.ids.list {
		if n.files == (Files{}) {
			continue
		}
		loaded := 1.0
		if n.Err() != nil {
			loaded = 0
		}
		gauge(c.loaded, loaded, n.name)
	}
}
