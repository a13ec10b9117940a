package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ffrtmp/internal/certs"
)

// watchExpiry serves how long a certificate in force is still valid.
func watchExpiry(registry prometheus.Registerer, name string, store *certs.Store) {
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "ffmpeg_master_certificate_expiry_seconds",
		Help:        "Time until the certificate in force expires.",
		ConstLabels: prometheus.Labels{"cert": name},
	}, func() float64 { return time.Until(store.Leaf().NotAfter).Seconds() }))
}
