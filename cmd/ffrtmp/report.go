package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

// Exit codes. Scripts rely on them.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitUnknown = 3
)

// failure is the document that --output json prints for an error, on standard error.
type failure struct {
	Error string      `json:"error"`
	Code  ffrtmp.Code `json:"code,omitempty"`
	Hint  string      `json:"hint,omitempty"`
}

// report prints an error and returns the exit code.
func (c *command) report(err error) int {
	if err == nil {
		return exitDone
	}
	text := cli.PrintableLog(err.Error())
	switch {
	case errors.Is(err, flags.ErrUsage):
		fmt.Fprintln(c.err, c.prefix(), cli.Printable(err.Error()))
		return exitUsage
	case errors.Is(err, context.Canceled) && ffrtmp.CodeOf(err) != ffrtmp.UnknownOutcome:
		fmt.Fprintln(c.err, c.prefix(), "interrupted; nothing was changed")
		return exitFailed
	case c.settings.Format == cli.FormatJSON:
		if fault := cli.WriteJSON(c.err, failure{text, codeOf(err), c.hint(err)}); fault != nil {
			return exitFailed
		}
	default:
		fmt.Fprintln(c.err, c.prefix(), text)
		if hint := c.hint(err); hint != "" {
			fmt.Fprintln(c.err, hint)
		}
	}
	if ffrtmp.CodeOf(err) == ffrtmp.UnknownOutcome {
		return exitUnknown
	}
	return exitFailed
}

func (c *command) prefix() string { return c.terminal(c.err).Paint(cli.Red, "ffrtmp:") }

// codeOf is the code of a master's error, "" of our own.
func codeOf(err error) ffrtmp.Code {
	if errors.As(err, new(*ffrtmp.Error)) {
		return ffrtmp.CodeOf(err)
	}
	return ""
}

// hint suggests what to do about an error, or is "".
func (c *command) hint(err error) string {
	var unknown *client.UnknownOutcomeError
	var unavailable *client.UnavailableError
	var quorum noQuorumError
	switch {
	case errors.As(err, &quorum):
		return quorum.hint()
	case errors.As(err, &unknown):
		return unknownHint(unknown)
	case errors.As(err, &unavailable):
		return c.unavailableHint(unavailable)
	case errors.Is(err, client.ErrForeign):
		return "This is not the API of a master: check " + c.settings.Address() + "."
	}
	switch ffrtmp.CodeOf(err) {
	case ffrtmp.Unauthenticated:
		if c.settings.APIKey == "" {
			return "No API key was sent: set --api-key-file or MASTER_API_KEY."
		}
		return "The masters at " + c.settings.Address() +
			" reject this API key: check --api-key-file or MASTER_API_KEY."
	case ffrtmp.Forbidden:
		return "Use a key with this scope: an administrator creates one with ffrtmp keys create."
	case ffrtmp.InsufficientStorage:
		return "The masters are short of disk space: free some there. Nothing was submitted."
	}
	return ""
}

func unknownHint(err *client.UnknownOutcomeError) string {
	const may = "The request may or may not have been executed. "
	switch err.Op {
	case "POST /jobs", "POST /jobs/batch":
		return may + "Repeat the command with --idempotency-key " + err.Key + " to settle it."
	case "POST /import":
		return may + "Repeat the import: it imports nothing twice."
	}
	return may + "Check before you repeat the command."
}

// unavailableHint is about the first master whose failure has a known cause.
func (c *command) unavailableHint(err *client.UnavailableError) string {
	for _, t := range err.Tries {
		if hint := c.tryHint(t.Err); hint != "" {
			return hint
		}
	}
	for _, t := range err.Tries {
		if errors.Is(t.Err, context.DeadlineExceeded) {
			return "A master did not answer in time: see ffrtmp cluster status. With --stale one answers by itself."
		}
	}
	return "Check that a master runs at " + c.settings.Address() + ", or set --master."
}

func (c *command) tryHint(err error) string {
	var certificate x509.CertificateInvalidError
	var host x509.HostnameError
	var dns *net.DNSError
	switch {
	case errors.As(err, new(x509.UnknownAuthorityError)) && c.settings.CA != "":
		return "The certificate was not issued by the CA in " + c.settings.CA + ": set --ca to the CA of the masters."
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return "The certificate was issued by an unknown CA: set --ca FILE to the masters' CA, or to a single " +
			"master's own certificate."
	case errors.As(err, &host) && len(host.Certificate.DNSNames)+len(host.Certificate.IPAddresses) == 0:
		return "The certificate names no host (it has no subjectAltName): the master's log has the command that " +
			"makes one with names."
	case errors.As(err, &host):
		return "The certificate is for another host: use a name or address that it lists."
	case errors.As(err, &certificate) && certificate.Reason == x509.Expired:
		return "The certificate has expired, or this machine's clock is wrong: ffrtmp certs inspect shows a " +
			"certificate's dates."
	case errors.Is(err, client.ErrHTTPSWanted):
		return "The master speaks HTTPS: use https:// in --master."
	case errors.Is(err, client.ErrSchemeMismatch):
		return "The master speaks plain HTTP: use http:// in --master, or start it with TLS."
	case refusedCertificate(err),
		c.settings.Cert == "" && (errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)):
		return "If the master requires client certificates (--mtls), set --cert and --key; otherwise check the port " +
			"--master."
	case errors.As(err, &dns) && dns.IsNotFound:
		return "The host is unknown: check --master."
	case ffrtmp.CodeOf(err) == ffrtmp.RateLimited:
		return "This key has made too many requests: try again later."
	case ffrtmp.CodeOf(err) == ffrtmp.NoLeader:
		return "The masters have no leader: a majority must run and reach each other (ffrtmp cluster status)."
	}
	return ""
}

// refusedCertificate reports whether the master has ended the TLS handshake with an alert, as it does without a
// client certificate that it accepts.
func refusedCertificate(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}
