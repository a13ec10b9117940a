package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// A certificate is due for renewal in the last third of its life, and its end is warned of in the last sixth, at most
// warnWithin before: by then a renewal has failed.
const (
	renewFraction = 3
	warnFraction  = 6
	warnWithin    = 30 * 24 * time.Hour
)

// expiresSoon reports whether the end of a certificate is to be warned of.
func expiresSoon(cert *x509.Certificate, now time.Time) bool {
	life := cert.NotAfter.Sub(cert.NotBefore)
	return cert.NotAfter.Sub(now) < min(warnWithin, life/warnFraction)
}

// Health returns what an operator should see to, and an error when TLS cannot work any more: the certificate in force,
// or every authority, has expired. Neither names files: both are for anybody to read.
func (s *Store) Health(now time.Time) (warnings []string, err error) {
	if s.Err() != nil {
		warnings = append(warnings, "changed certificate files cannot be used, the old ones are in force; the log says more")
	}
	creds := s.current()
	if creds.cert != nil {
		leaf := creds.cert.Leaf
		says := ended("certificate", leaf, now)
		switch {
		case now.After(leaf.NotAfter):
			err = errors.New(says)
		case expiresSoon(leaf, now):
			warnings = append(warnings, says)
		}
	}
	var expired []error
	for _, authority := range creds.authorities {
		says := ended("authority", authority, now)
		switch {
		case now.After(authority.NotAfter):
			expired = append(expired, errors.New(says))
		case expiresSoon(authority, now):
			warnings = append(warnings, says)
		}
	}
	if len(expired) == len(creds.authorities) {
		return warnings, errors.Join(err, errors.Join(expired...))
	}
	for _, e := range expired {
		warnings = append(warnings, e.Error())
	}
	return warnings, err
}

// ended says when a certificate ends or has ended.
func ended(kind string, cert *x509.Certificate, now time.Time) string {
	at, left := cert.NotAfter.UTC().Format(time.RFC3339), cert.NotAfter.Sub(now)
	if left < 0 {
		return fmt.Sprintf("%s %s expired at %s", kind, cert.Subject, at)
	}
	return fmt.Sprintf("%s %s expires at %s, in %s", kind, cert.Subject, at, inDays(left))
}

// inDays is a length of time as people plan by it.
func inDays(d time.Duration) string {
	if days := int(d.Hours() / 24); days > 1 {
		return fmt.Sprintf("%d days", days)
	}
	return d.Round(time.Minute).String()
}
