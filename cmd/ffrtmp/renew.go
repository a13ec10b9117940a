package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

func (c *command) certsRenew() *cobra.Command {
	var r renewing
	cmd := &cobra.Command{
		Use:   "renew [FILE.crt...]",
		Short: "Renew certificates about to expire",
		Long: `Renew certificates about to expire. Run it where the authority's key is.

  ffrtmp certs renew --dir /etc/ffrtmp/pki --dry-run
  ffrtmp certs renew --dir /etc/ffrtmp/pki

Without files it checks every NAME.crt in --dir; the key of NAME.crt is NAME.key. A
renewed certificate has a new key; everything else, its lifetime included, stays the
same. Masters and agents load the replaced files without a restart.

It is safe to run often: other certificates are kept. The exit code is 1 when a
certificate about to expire could not be renewed.`,
		RunE: func(_ *cobra.Command, args []string) error { return c.renew(r, args) },
	}
	set := cmd.Flags()
	set.StringVar(&r.dir, "dir", "certs", "directory of the authority")
	set.DurationVar(&r.within, "within", 0,
		"renew when less time than this is left, such as 720h (default a third of the lifetime)")
	set.IntVar(&r.days, "days", 0, "days of validity (default as before)")
	set.BoolVar(&r.force, "force", false, "renew all certificates, those of another authority included")
	set.BoolVar(&r.dryRun, "dry-run", false, "report what would be renewed and change nothing")
	return cmd
}

// renewing is the flags of certs renew.
type renewing struct {
	dir           string
	within        time.Duration
	days          int
	force, dryRun bool
}

// What is done with a certificate.
const (
	actionRenewed = "renewed"
	actionDue     = "due" // to be renewed, in a dry run
	actionKept    = "kept"
	actionFailed  = "failed"
)

// renewal is what was done with one certificate, and why.
type renewal struct {
	Cert     string     `json:"cert"`
	Key      string     `json:"key"`
	Action   string     `json:"action"`
	Reason   string     `json:"reason"`
	NotAfter *time.Time `json:"not_after"` // of the file's certificate now; null if it could not be read

	lifetime time.Duration // that the authority should be able to give
}

func (c *command) renew(r renewing, files []string) error {
	if r.days != 0 {
		if _, err := lifetimeOf(r.days); err != nil {
			return err
		}
	}
	if r.within < 0 {
		return flags.Usagef("--within: must not be negative")
	}
	caFile, caKey := authorityFiles(r.dir)
	ca, err := certs.LoadCA(caFile, caKey)
	if err != nil {
		return fmt.Errorf("%w (run renew where the authority's key is, see --dir)", err)
	}
	left, end := time.Until(ca.NotAfter()), ca.NotAfter().UTC()
	if left < 0 {
		return fmt.Errorf("the authority %s expired at %s: create a new one with ffrtmp certs init", caFile,
			end.Format(time.RFC3339))
	}
	if len(files) == 0 {
		if files, err = filepath.Glob(filepath.Join(r.dir, "*.crt")); err != nil {
			return flags.Usagef("--dir: %v", err)
		}
		files = slices.DeleteFunc(files, func(f string) bool { return f == caFile })
	}
	list, warnings, bad := []renewal{}, []string{}, 0
	for _, file := range files {
		one := r.one(ca, file)
		list = append(list, one)
		if one.Action == actionFailed {
			bad++
		}
		if one.lifetime > left && len(warnings) == 0 {
			warnings = append(
				warnings,
				fmt.Sprintf("the authority %s expires at %s, before the renewed certificates would", caFile,
					end.Format(time.RFC3339)),
			)
		}
	}
	document := map[string]any{
		"dry_run": r.dryRun, "authority": map[string]any{"cert": caFile, "not_after": end},
		"certificates": list, "warnings": warnings,
	}
	if err := c.print(document, renewals(list)); err != nil {
		return err
	}
	for _, w := range warnings {
		fmt.Fprintln(c.err, "ffrtmp: warning:", w)
	}
	if bad > 0 {
		return fmt.Errorf("%s could not be renewed", cli.Count(bad, "certificate"))
	}
	return nil
}

func renewals(list []renewal) *cli.Table {
	colours := map[string]cli.Colour{actionRenewed: cli.Green, actionDue: cli.Yellow, actionFailed: cli.Red}
	t := cli.NewTable("CERTIFICATE", "ACTION", "EXPIRES", "REASON~")
	for _, one := range list {
		end := ""
		if one.NotAfter != nil {
			end = one.NotAfter.Format(time.RFC3339)
		}
		t.Add(one.Cert, cli.Coloured(one.Action, colours[one.Action]), end, one.Reason)
	}
	return t
}

// one renews a certificate if it is due.
func (r renewing) one(ca *certs.CA, file string) renewal {
	one := renewal{Cert: file, Key: strings.TrimSuffix(file, ".crt") + ".key", Action: actionFailed}
	if one.Key == one.Cert+".key" {
		one.Reason = "the file name does not end in .crt, so its key file is unknown"
		return one
	}
	pair, err := certs.ReadPair(one.Cert, one.Key)
	if err != nil {
		one.Reason = err.Error()
		return one
	}
	end := pair.Leaf.NotAfter.UTC()
	one.NotAfter = &end
	lifetime := pair.Lifetime()
	if r.days > 0 {
		lifetime = time.Duration(r.days) * day
	}
	if ca.Issued(pair.Leaf) {
		one.lifetime = lifetime
	}
	if one.Action, one.Reason = r.judge(ca, pair); one.Action != actionDue {
		return one
	}
	certPEM, keyPEM, err := ca.Renew(pair, lifetime, r.force)
	if err == nil && !r.dryRun {
		one.Action = actionRenewed
		if err = certs.WritePair(one.Cert, one.Key, certPEM, keyPEM); err == nil {
			pair, err = certs.ReadPair(one.Cert, one.Key)
		}
		if err == nil {
			end = pair.Leaf.NotAfter.UTC()
		}
	}
	if err != nil {
		one.Action, one.Reason = actionFailed, err.Error()
	}
	return one
}

// judge decides what to do with a certificate, and why.
func (r renewing) judge(ca *certs.CA, pair *certs.Pair) (action, reason string) {
	torn, err := pair.Torn()
	foreign, near := !ca.Issued(pair.Leaf), pair.Due(time.Now(), r.within)
	switch {
	case err != nil:
		return actionFailed, err.Error()
	case pair.Leaf.IsCA:
		return actionKept, "authority"
	case r.force:
		return actionDue, "--force"
	case foreign && !near:
		return actionKept, "not about to expire; issued by another authority"
	case foreign:
		return actionFailed, certs.ErrForeign.Error()
	case torn:
		return actionDue, "the key file does not match"
	case !near:
		return actionKept, "not about to expire"
	case !ca.NotAfter().After(pair.Leaf.NotAfter):
		return actionFailed, "the authority expires no later: create a new one with ffrtmp certs init"
	case r.within > 0:
		return actionDue, "less than " + cli.Span(r.within) + " left"
	}
	return actionDue, "less than a third of its lifetime left"
}
