package main

import (
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

const day = 24 * time.Hour

func (c *command) certs() *cobra.Command {
	return group("certs", "Create, renew and inspect certificates", c.certsInit(), c.certsIssue(), c.certsRenew(),
		c.certsInspect())
}

func (c *command) certsInit() *cobra.Command {
	var dir, name string
	var days int
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Create a certificate authority (ca.crt, ca.key)",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			lifetime, err := lifetimeOf(days)
			if err != nil {
				return err
			}
			certFile, keyFile := authorityFiles(dir)
			if err := refuseExisting(certFile, keyFile); err != nil {
				return err
			}
			ca, err := certs.NewCA(name, lifetime)
			if err != nil {
				return fmt.Errorf("create authority: %w", err)
			}
			keyPEM, err := ca.KeyPEM()
			if err != nil {
				return fmt.Errorf("create authority: %w", err)
			}
			if err := certs.WritePair(certFile, keyFile, ca.CertPEM(), keyPEM); err != nil {
				return fmt.Errorf("create authority: %w", err)
			}
			return c.print(map[string]string{"cert": certFile, "key": keyFile},
				cli.Line(fmt.Sprintf("Wrote %s (public) and %s (keep private).", certFile, keyFile)))
		},
	}
	set := cmd.Flags()
	set.StringVar(&dir, "dir", "certs", "directory to write to")
	set.StringVar(&name, "name", "ffrtmp CA", "common name of the authority")
	set.IntVar(&days, "days", int(certs.DefaultCALifetime/day), "days of validity")
	return cmd
}

func authorityFiles(dir string) (certFile, keyFile string) {
	return filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")
}

func refuseExisting(names ...string) error {
	for _, name := range names {
		if _, err := os.Lstat(name); err == nil {
			return fmt.Errorf("%s already exists", name)
		}
	}
	return nil
}

func lifetimeOf(days int) (time.Duration, error) {
	if days < 1 || days > int(math.MaxInt64/day) {
		return 0, flags.Usagef("--days: must be a positive number of days, not %d", days)
	}
	return time.Duration(days) * day, nil
}

func (c *command) certsIssue() *cobra.Command {
	var issue issuance
	cmd := &cobra.Command{
		Use:   "issue",
		Short: "Issue a certificate for a master, an agent or a user",
		Long: `Create a key and its certificate, signed by the authority in --dir.

  ffrtmp certs issue --role master --name master-1 --host master-1.example.org --ip 10.0.0.1
  ffrtmp certs issue --role agent --name agent-1

A master's certificate also names localhost, 127.0.0.1 and ::1. A certificate without
--role is valid for the API and for users, not for peers.`,
		Args: exactly(),
		RunE: func(*cobra.Command, []string) error { return c.issue(issue) },
	}
	set := cmd.Flags()
	set.StringVar(&issue.dir, "dir", "certs", "directory of the authority; NAME.crt and NAME.key are written to it")
	cli.EnumVar(cmd, &issue.role, "role", "role of the holder in the cluster",
		[]certs.Role{certs.RoleMaster, certs.RoleAgent})
	set.StringVar(&issue.name, "name", "", "name of the holder")
	set.StringSliceVar(&issue.hosts, "host", nil, "host name of the holder; may be repeated")
	set.StringSliceVar(&issue.ips, "ip", nil, "IP address of the holder; may be repeated")
	set.StringVar(&issue.cluster, "cluster", "default", "name of the cluster")
	set.IntVar(&issue.days, "days", int(certs.DefaultLifetime/day), "days of validity, limited by the authority's")
	set.BoolVar(&issue.force, "force", false, "overwrite an existing certificate")
	return cmd
}

// issuance is the flags of certs issue.
type issuance struct {
	dir, name, cluster string
	role               certs.Role
	hosts              []string
	ips                []string
	days               int
	force              bool
}

func (c *command) issue(i issuance) error {
	if i.name == "" || i.name == "ca" || i.name != filepath.Base(i.name) || strings.HasPrefix(i.name, ".") {
		return flags.Usagef("--name: %q is not a file name; use a name such as master-1", i.name)
	}
	lifetime, err := lifetimeOf(i.days)
	if err != nil {
		return err
	}
	ips, err := parseIPs(i.ips)
	if err != nil {
		return err
	}
	ca, err := certs.LoadCA(authorityFiles(i.dir))
	if err != nil {
		return fmt.Errorf("%w (create an authority with ffrtmp certs init)", err)
	}
	certFile, keyFile := filepath.Join(i.dir, i.name+".crt"), filepath.Join(i.dir, i.name+".key")
	if !i.force {
		if err := refuseExisting(certFile, keyFile); err != nil {
			return fmt.Errorf("%w (--force overwrites it)", err)
		}
	}
	if i.role == certs.RoleMaster {
		i.hosts = append(i.hosts, "localhost")
		ips = append(ips, net.IPv4(127, 0, 0, 1), net.IPv6loopback)
	}
	certPEM, keyPEM, err := ca.Issue(certs.Request{
		CommonName: i.name, Hosts: i.hosts, IPs: ips,
		Cluster: i.cluster, Role: i.role, Name: i.name, Lifetime: lifetime,
	})
	if err != nil {
		return flags.Usagef("issue certificate: %v", err)
	}
	if err := certs.WritePair(certFile, keyFile, certPEM, keyPEM); err != nil {
		return fmt.Errorf("issue certificate: %w", err)
	}
	infos, err := certs.Inspect(certPEM)
	if err != nil {
		return fmt.Errorf("issue certificate: %w", err)
	}
	return c.print(
		map[string]any{"cert": certFile, "key": keyFile, "not_after": infos[0].NotAfter},
		cli.Line(fmt.Sprintf("Wrote %s and %s, valid until %s.", certFile, keyFile,
			infos[0].NotAfter.UTC().Format(time.DateOnly))),
	)
}

func parseIPs(list []string) ([]net.IP, error) {
	var ips []net.IP
	for _, text := range list {
		ip := net.ParseIP(text)
		if ip == nil {
			return nil, flags.Usagef("--ip: %q is not an IP address", text)
		}
		ips = append(ips, ip)
	}
	return ips, nil
}

func (c *command) certsInspect() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect FILE",
		Short: "Show the certificates in a file; - is standard input",
		Args:  exactly("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := c.read(args[0])
			if err != nil {
				return fmt.Errorf("inspect: %w", err)
			}
			infos, err := certs.Inspect(data)
			if err != nil {
				return fmt.Errorf("inspect %s: %w", args[0], err)
			}
			list := []inspected{}
			var parts []cli.HumanWriter
			for _, info := range infos {
				i := inspected{info, int(math.Floor(time.Until(info.NotAfter).Hours() / 24))}
				list = append(list, i)
				parts = append(parts, i.fields())
			}
			return c.print(map[string]any{"certificates": list}, parts...)
		},
	}
}

// inspected is a certificate and how many whole days it has left.
type inspected struct {
	certs.Info
	DaysLeft int `json:"days_left"`
}

// soon is how many days before its expiry a certificate is highlighted.
const soon = 30

func (i inspected) fields() *cli.Fields {
	f := &cli.Fields{}
	f.Add("Subject", i.Subject)
	f.Add("Issuer", i.Issuer)
	if i.Authority {
		f.Add("Authority", "yes")
	}
	if i.Role != "" {
		f.Add("Role", fmt.Sprintf("%s %s of cluster %s", i.Role, i.Name, i.Cluster))
	}
	f.Add("Hosts", strings.Join(i.DNSNames, ", "))
	var ips []string
	for _, ip := range i.IPs {
		ips = append(ips, ip.String())
	}
	f.Add("IPs", strings.Join(ips, ", "))
	f.Add("URIs", strings.Join(i.URIs, ", "))
	f.Add("Valid from", i.NotBefore.UTC().Format(time.RFC3339))
	end := i.NotAfter.UTC().Format(time.RFC3339)
	left := cli.Coloured(fmt.Sprintf("%s (%s left)", end, cli.Count(i.DaysLeft, "day")), "")
	switch {
	case i.DaysLeft < 0:
		left = cli.Coloured(end+" (expired)", cli.Red)
	case i.DaysLeft < soon:
		left.Colour = cli.Yellow
	}
	f.Add("Valid until", left)
	f.Add("Serial", i.Serial)
	f.Add("SHA-256", i.SHA256)
	return f
}

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
