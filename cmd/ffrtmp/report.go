package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

// Exit codes; they are part of the contract with scripts.
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

// report tells the user of an error and returns the exit code.
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
		fmt.Fprintln(c.err, c.prefix(), "interrupted; nothing has been changed")
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

// codeOf is the code of an error of the masters', "" of our own.
func codeOf(err error) ffrtmp.Code {
	if errors.As(err, new(*ffrtmp.Error)) {
		return ffrtmp.CodeOf(err)
	}
	return ""
}

// hint says what to do about an error, or "".
func (c *command) hint(err error) string {
	var unknown *client.UnknownOutcomeError
	var unavailable *client.UnavailableError
	switch {
	case errors.As(err, &unknown):
		if unknown.Op == "POST /jobs" || unknown.Op == "POST /jobs/batch" {
			return "It may or may not have been carried out. Repeat the command with --idempotency-key " + unknown.Key + " to settle it."
		}
		if unknown.Op == "POST /import" {
			return "It may or may not have been carried out. Repeat the import: it takes nothing twice."
		}
		return "It may or may not have been carried out. Look before you repeat it."
	case errors.As(err, &unavailable):
		return c.unavailableHint(unavailable)
	case errors.Is(err, client.ErrForeign):
		if strings.Contains(err.Error(), "HTTP request to an HTTPS server") {
			return "The master speaks HTTPS: use https:// in --master."
		}
		return "That is no answer of a master: is its API at " + c.settings.Address() + "?"
	}
	switch ffrtmp.CodeOf(err) {
	case ffrtmp.Unauthenticated:
		if c.settings.APIKey == "" {
			return "No API key was sent. Give one by --api-key-file FILE or in MASTER_API_KEY."
		}
		return "The masters at " + c.settings.Address() + " do not take this API key. Check --api-key-file or MASTER_API_KEY."
	case ffrtmp.Forbidden:
		return "Use a key that has this scope: an administrator makes one with ffrtmp keys create."
	case ffrtmp.InsufficientStorage:
		return "The masters' disks are nearly full. Free some space there; no submission was accepted."
	}
	return ""
}

// asked are the masters of the settings.
func (c *command) asked() string { return strings.Join(c.settings.Masters, ", ") }

// unavailableHint goes by the first master whose failure tells something.
func (c *command) unavailableHint(err *client.UnavailableError) string {
	for _, t := range err.Tries {
		text := fmt.Sprint(t.Err)
		contains := func(parts ...string) bool {
			return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
		}
		var certificate x509.CertificateInvalidError
		switch {
		case errors.As(t.Err, new(x509.UnknownAuthorityError)) && c.settings.CA != "":
			return "The certificate was not issued by the authority in " + c.settings.CA + ": give the one that vouches for the masters by --ca FILE."
		case errors.As(t.Err, new(x509.UnknownAuthorityError)):
			return "The certificate is not vouched for by an authority you trust: give the masters' authority, or a single master's own certificate, by --ca FILE."
		case errors.As(t.Err, new(x509.HostnameError)):
			return "The certificate is for another host: use a name or address that it lists."
		case errors.As(t.Err, &certificate) && certificate.Reason == x509.Expired:
			return "The certificate has expired, or this machine's clock is wrong: ffrtmp certs inspect shows a certificate's dates."
		case contains("server gave HTTP response to HTTPS client"):
			return "The master speaks plain HTTP: use http:// in --master, or start it with TLS."
		case contains("certificate required", "bad certificate"), contains("broken pipe", "connection reset") && c.settings.Cert == "":
			return "If the master demands client certificates (--mtls), give --cert and --key; otherwise check the port in --master."
		case contains("no such host"):
			return "The host is not known here: check --master."
		case ffrtmp.CodeOf(t.Err) == ffrtmp.RateLimited:
			return "Too many requests were made with this key: try again later."
		case ffrtmp.CodeOf(t.Err) == ffrtmp.NoLeader:
			return "The masters have no leader: a majority of them must be up and see each other (ffrtmp cluster status)."
		}
	}
	return "Check that a master runs at " + c.settings.Address() + ", or name others by --master."
}
