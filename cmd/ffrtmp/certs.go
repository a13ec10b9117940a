package main

import (
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

const day = 24 * time.Hour

func (c *command) certs() *cobra.Command {
	return group("certs", "Make and read certificates", c.certsInit(), c.certsIssue(), c.certsRenew(), c.certsInspect())
}

func (c *command) certsInit() *cobra.Command {
	var dir, name string
	var days int
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a certificate authority: ca.crt and ca.key",
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
				return fmt.Errorf("make authority: %w", err)
			}
			keyPEM, err := ca.KeyPEM()
			if err != nil {
				return fmt.Errorf("make authority: %w", err)
			}
			if err := certs.WritePair(certFile, keyFile, ca.CertPEM(), keyPEM); err != nil {
				return fmt.Errorf("make authority: %w", err)
			}
			return c.print(map[string]string{"cert": certFile, "key": keyFile},
				cli.Line(fmt.Sprintf("Wrote %s, which everybody may have, and %s, which nobody else may.", certFile, keyFile)))
		},
	}
	set := cmd.Flags()
	set.StringVar(&dir, "dir", "certs", "`DIRECTORY` to write to")
	set.StringVar(&name, "name", "ffrtmp CA", "common `NAME` of the authority")
	set.IntVar(&days, "days", int(certs.DefaultCALifetime/day), "`NUMBER` of days that it is valid")
	return cmd
}

func authorityFiles(dir string) (certFile, keyFile string) {
	return filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")
}

func refuseExisting(names ...string) error {
	for _, name := range names {
		if _, err := os.Lstat(name); err == nil {
			return fmt.Errorf("%s exists already: nothing is overwritten", name)
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
		Short: "Make a certificate for a master, an agent or a user",
		Long: `Make a key and a certificate for it, signed by the authority in --dir:

  ffrtmp certs issue --role master --name master-1 --host master-1.example.org --ip 10.0.0.1
  ffrtmp certs issue --role agent --name agent-1

A master's certificate also names localhost, 127.0.0.1 and ::1, so that it can be
reached from its own machine. Without --role it serves the API or a user only.`,
		Args: exactly(),
		RunE: func(*cobra.Command, []string) error { return c.issue(issue) },
	}
	set := cmd.Flags()
	set.StringVar(&issue.dir, "dir", "certs", "`DIRECTORY` of the authority; NAME.crt and NAME.key go there, too")
	cli.EnumVar(cmd, &issue.role, "role", "what the holder may be in a cluster", []certs.Role{certs.RoleMaster, certs.RoleAgent})
	set.StringVar(&issue.name, "name", "", "`NAME` of the holder")
	set.StringSliceVar(&issue.hosts, "host", nil, "host `NAME` that it answers to; may be repeated")
	set.IPSliceVar(&issue.ips, "ip", nil, "`ADDRESS` that it answers to; may be repeated")
	set.Lookup("ip").DefValue = "" // pflag would show [] for none
	set.StringVar(&issue.cluster, "cluster", "default", "`NAME` of the cluster")
	set.IntVar(&issue.days, "days", int(certs.DefaultLifetime/day), "`NUMBER` of days that it is valid, at most as long as the authority")
	set.BoolVar(&issue.force, "force", false, "replace a certificate of this name")
	return cmd
}

// issuance is what certs issue is asked for.
type issuance struct {
	dir, name, cluster string
	role               certs.Role
	hosts              []string
	ips                []net.IP
	days               int
	force              bool
}

func (c *command) issue(i issuance) error {
	if i.name == "" || i.name == "ca" || i.name != filepath.Base(i.name) || strings.HasPrefix(i.name, ".") {
		return flags.Usagef("--name: %q cannot be used, as the files are called after it; use a name such as master-1", i.name)
	}
	lifetime, err := lifetimeOf(i.days)
	if err != nil {
		return err
	}
	ca, err := certs.LoadCA(authorityFiles(i.dir))
	if err != nil {
		return fmt.Errorf("%w (ffrtmp certs init makes an authority)", err)
	}
	certFile, keyFile := filepath.Join(i.dir, i.name+".crt"), filepath.Join(i.dir, i.name+".key")
	if !i.force {
		if err := refuseExisting(certFile, keyFile); err != nil {
			return fmt.Errorf("%w (--force replaces it)", err)
		}
	}
	if i.role == certs.RoleMaster {
		i.hosts = append(i.hosts, "localhost")
		i.ips = append(i.ips, net.IPv4(127, 0, 0, 1), net.IPv6loopback)
	}
	certPEM, keyPEM, err := ca.Issue(certs.Request{
		CommonName: i.name, Hosts: i.hosts, IPs: i.ips,
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
	return c.print(map[string]any{"cert": certFile, "key": keyFile, "not_after": infos[0].NotAfter},
		cli.Line(fmt.Sprintf("Wrote %s and %s, valid until %s.", certFile, keyFile, infos[0].NotAfter.UTC().Format(time.DateOnly))))
}

func (c *command) certsInspect() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect FILE",
		Short: "Show what the certificates in a file say; - is standard input",
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

// inspected is a certificate, and how many whole days it has left.
type inspected struct {
	certs.Info
	DaysLeft int `json:"days_left"`
}

// soon is when an expiry wants attention.
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
	left := cli.Coloured(fmt.Sprintf("%s (%s left)", i.NotAfter.UTC().Format(time.RFC3339), cli.Count(i.DaysLeft, "day")), "")
	switch {
	case i.DaysLeft < 0:
		left = cli.Coloured(i.NotAfter.UTC().Format(time.RFC3339)+" (expired)", cli.Red)
	case i.DaysLeft < soon:
		left.Colour = cli.Yellow
	}
	f.Add("Valid until", left)
	f.Add("Serial", i.Serial)
	f.Add("SHA-256", i.SHA256)
	return f
}
