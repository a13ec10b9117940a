package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"ffrtmp/client"
	"ffrtmp/internal/flags"
	"ffrtmp/job"
)

// Exit codes; they are part of the contract with scripts.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitUnknown = 3
)

// report tells the user of an error and returns the exit code.
func (c *cli) report(err error) int {
	if err == nil {
		return exitDone
	}
	prefix := c.terminal(c.err).paint(red, "ffrtmp:")
	switch {
	case errors.Is(err, flags.ErrUsage):
		fmt.Fprintln(c.err, prefix, printable(err.Error()))
		return exitUsage
	case errors.Is(err, context.Canceled) && job.CodeOf(err) != job.UnknownOutcome:
		fmt.Fprintln(c.err, prefix, "interrupted; nothing has been changed")
		return exitFailed
	}
	fmt.Fprintln(c.err, prefix, printableLog(err.Error()))
	if hint := c.hint(err); hint != "" {
		fmt.Fprintf(c.err, "%s\n", hint)
	}
	if job.CodeOf(err) == job.UnknownOutcome {
		return exitUnknown
	}
	return exitFailed
}

// hint says what to do about an error, or "".
func (c *cli) hint(err error) string {
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
	}
	switch job.CodeOf(err) {
	case job.Unauthenticated:
		if c.settings.apiKey == "" {
			return "No API key was sent. Give one by --api-key-file FILE or in MASTER_API_KEY."
		}
		return "The masters do not know this API key. Check --api-key-file or MASTER_API_KEY."
	case job.Forbidden:
		return "Use a key that has this scope: an administrator makes one with ffrtmp keys create."
	case job.InsufficientStorage:
		return "The masters' disks are nearly full. Free some space there; no submission was accepted."
	}
	return ""
}

func (c *cli) unavailableHint(err *client.UnavailableError) string {
	for _, t := range err.Tries {
		switch {
		case errors.As(t.Err, new(x509.UnknownAuthorityError)):
			return "The certificate is not vouched for by an authority you trust: give the masters' authority by --ca FILE."
		case errors.As(t.Err, new(x509.HostnameError)):
			return "The certificate is for another host: use a name or address that it lists."
		case strings.Contains(t.Err.Error(), "server gave HTTP response to HTTPS client"):
			return "The master speaks plain HTTP: use http:// in --master, or start it with TLS."
		case strings.Contains(t.Err.Error(), "certificate required"):
			return "The master demands a client certificate: give --cert and --key."
		case job.CodeOf(t.Err) == job.NoLeader:
			return "The masters have no leader: a majority of them must be up and see each other."
		}
	}
	return "Check that a master runs at " + strings.Join(c.settings.masters, ", ") + ", or name others by --master."
}
