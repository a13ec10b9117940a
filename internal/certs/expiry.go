package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// A certificate is due for renewal in the last third of its lifetime. Health warns in the last sixth, and at most
// warnWithin before the end: by then a renewal has failed.
const (
	renewFraction = 3
	warnFraction  = 6
	warnWithin    = 30 * 24 * time.Hour
)

// expiresSoon reports whether Health warns about a certificate.
func expiresSoon(cert *x509.Certificate, now time.Time) bool {
	life := cert.NotAfter.Sub(cert.NotBefore)
	return cert.NotAfter.Sub(now) < min(warnWithin, life/warnFraction)
}

// Health returns warnings for an operator, and an error when TLS cannot work: the current certificate or every
// authority has expired. Neither names files, because both are public.
func (s *Store) Health(now time.Time) (warnings []string, err error) {
	if s.Err() != nil {
		warnings = append(warnings, "cannot load changed certificate files; the old ones stay in use, see the log")
	}
	creds := s.current()
	if creds.cert != nil {
		leaf := creds.cert.Leaf
		message := expiry("certificate", leaf, now)
		switch {
		case now.After(leaf.NotAfter):
			err = errors.New(message)
		case expiresSoon(leaf, now):
			warnings = append(warnings, message)
		}
	}
	var expired []error
	for _, authority := range creds.authorities {
		message := expiry("authority", authority, now)
		switch {
		case now.After(authority.NotAfter):
			expired = append(expired, errors.New(message))
		case expiresSoon(authority, now):
			warnings = append(warnings, message)
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

// expiry is the message about the end of a certificate.
func expiry(kind string, cert *x509.Certificate, now time.Time) string {
	at, left := cert.NotAfter.UTC().Format(time.RFC3339), cert.NotAfter.Sub(now)
	if left < 0 {
		return fmt.Sprintf("%s %s expired at %s", kind, cert.Subject, at)
	}
	return fmt.Sprintf("%s %s expires at %s, in %s", kind, cert.Subject, at, inDays(left))
}

// inDays formats a duration in days, or more precisely when less than two days are left.
func inDays(d time.Duration) string {
	if days := int(d.Hours() / 24); days > 1 {
		return fmt.Sprintf("%d days", days)
	}
	return d.Round(time.Minute).String()
}
