package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

func (c *command) keys() *cobra.Command {
	list := listing[ffrtmp.Key]{
		short: "List keys, expired and revoked ones included",
		noun:  "key",
		none:  "No keys except the bootstrap key.",
		fetch: (*client.Client).Keys,
		document: func(keys []ffrtmp.Key) any {
			return ffrtmp.KeyList{Keys: keys, Count: len(keys)}
		},
		table: func(keys []ffrtmp.Key) cli.HumanWriter { return keyTable(keys) },
	}
	return group("keys", "Create and revoke API keys", c.keysCreate(), list.command(c), c.keysRevoke())
}

func (c *command) keysCreate() *cobra.Command {
	var k ffrtmp.NewKey
	var scopes []string
	var expires expiry
	cmd := &cobra.Command{
		Use:   "create NAME --scope SCOPE",
		Short: "Create a key and print it once",
		Long: `Create a key for the user or machine called NAME and print it on standard output,
ready to be written to a file. It is shown only once:

  (umask 077; ffrtmp keys create encoders --scope agent --expires 90d > encoders.key)

Scopes:
  admin    everything
  submit   submit jobs, act on them, and read
  read     read jobs, nodes and masters
  agent    run jobs`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			k.Name = args[0]
			if len(scopes) == 0 {
				return flags.Usagef("--scope is missing: name one or more of %s",
					ffrtmp.JoinScopes(ffrtmp.Scopes, ", "))
			}
			for _, s := range scopes {
				k.Scopes = append(k.Scopes, ffrtmp.Scope(s))
			}
			k.ExpiresAt.Time, k.ExpiresIn = expires.at, ffrtmp.Duration(expires.in)
			if err := k.Validate(); err != nil {
				return flags.Usagef("%v", err)
			}
			return c.createKey(cmd, k)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&scopes, "scope", nil, "scope; may be repeated ("+ffrtmp.JoinScopes(ffrtmp.Scopes, ", ")+")")
	f.Var(&expires, "expires", "expire after a time (90d, 12h) or on a date (2027-01-31) (default never)")
	f.IntVar(&k.RateLimit, "rate-limit", 0, "requests per second to each master (default the masters' --rate-limit)")
	cli.Complete(cmd, "scope", ffrtmp.Scopes...)
	return cmd
}

func (c *command) createKey(cmd *cobra.Command, k ffrtmp.NewKey) error {
	return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
		made, err := cl.CreateKey(ctx, k)
		if err != nil {
			return fmt.Errorf("create key %s: %w", k.Name, err)
		}
		if c.settings.Format == cli.FormatTable {
			fmt.Fprintf(c.err, "Created key %s for %s with scope %s; it %s. Store it now: it is not shown again.\n",
				made.ID, cli.Printable(made.Name), ffrtmp.JoinScopes(made.Scopes, ", "), expiryText(made.ExpiresAt))
		}
		return c.print(made, cli.Line(made.Secret))
	})
}

func expiryText(at time.Time) string {
	if at.IsZero() {
		return "does not expire"
	}
	return "expires " + at.UTC().Format(time.RFC3339)
}

// expiry is a flag that takes a length of time, with days, or a date.
type expiry struct {
	in   time.Duration
	at   time.Time
	text string
}

func (e *expiry) String() string { return e.text }
func (e *expiry) Type() string   { return "time" }

// Set implements pflag.Value.
func (e *expiry) Set(s string) (err error) {
	e.text = s
	if number, ok := strings.CutSuffix(s, "d"); ok {
		if days, err := strconv.ParseUint(number, 10, 16); err == nil && days > 0 {
			e.in = time.Duration(days) * day
			return nil
		}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if e.at, err = time.Parse(layout, s); err == nil {
			if time.Until(e.at) <= 0 {
				return errors.New("is in the past")
			}
			return nil
		}
	}
	if e.in, err = time.ParseDuration(s); err != nil || e.in <= 0 {
		return errors.New("must be a time such as 90d or 12h, or a date such as 2027-01-31")
	}
	return nil
}

func keyTable(keys []ffrtmp.Key) *cli.Table {
	t := cli.NewTable("ID", "NAME~", "SCOPES", "STATUS", "AGE<", "EXPIRES", "RATE<?", "BY~?")
	for _, k := range keys {
		expires, limit := "never", ""
		if !k.ExpiresAt.IsZero() {
			expires = k.ExpiresAt.UTC().Format(time.RFC3339)
		}
		if k.RateLimit != 0 {
			limit = strconv.Itoa(k.RateLimit) + "/s"
		}
		t.Add(k.ID, k.Name, ffrtmp.JoinScopes(k.Scopes, ","), keyStatus(k.Status), cli.Age(k.CreatedAt), expires, limit,
			k.CreatedBy)
	}
	return t
}

func keyStatus(s ffrtmp.KeyStatus) cli.Cell {
	colours := map[ffrtmp.KeyStatus]cli.Colour{
		ffrtmp.KeyActive: cli.Green, ffrtmp.KeyExpired: cli.Faint, ffrtmp.KeyRevoked: cli.Red,
	}
	return cli.Coloured(string(s), colours[s])
}

func (c *command) keysRevoke() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke KEY",
		Short: "Revoke a key, named by id, unambiguous prefix of it, or name",
		Args:  exactly("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
				id, err := findKey(ctx, cl, args[0])
				if err == nil {
					err = cl.RevokeKey(ctx, id)
				}
				if err != nil {
					return fmt.Errorf("revoke key %s: %w", cli.Printable(args[0]), err)
				}
				document := map[string]string{"status": string(ffrtmp.KeyRevoked), "key_id": id}
				return c.print(document, cli.Line("Key "+id+" revoked."))
			})
		},
	}
}

// findKey returns the id of the key that ref names. An inactive key is found by its id only.
func findKey(ctx context.Context, cl *client.Client, ref string) (string, error) {
	if id, _, whole := strings.Cut(ref, "."); whole && len(id) == 16 {
		return "", flags.Usagef("this is a whole key, which is now in the shell's history: revoke it as %s", id)
	}
	keys, err := cl.Keys(ctx)
	if err != nil {
		return "", err
	}
	var candidates []candidate
	for _, k := range keys {
		candidates = append(candidates, candidate{k.ID, k.Name, k.Status != ffrtmp.KeyActive})
	}
	return resolve(ref, "active key", "ffrtmp keys list", candidates)
}

func (c *command) audit() *cobra.Command {
	var since time.Duration
	page := ffrtmp.AuditPage{Limit: 100}
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show the audit log, newest first",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case page.Limit < 1 || page.Limit > ffrtmp.MaxLimit:
				return flags.Usagef("--limit: must be between 1 and %d, not %d", ffrtmp.MaxLimit, page.Limit)
			case since < 0:
				return flags.Usagef("--since: must be a positive time such as 24h")
			case since > 0:
				page.Since = time.Now().Add(-since)
			}
			return c.showAudit(cmd, page)
		},
	}
	cmd.Flags().DurationVar(&since, "since", 0, "show records of this last time only, such as 24h (default all)")
	cmd.Flags().IntVar(&page.Limit, "limit", page.Limit, "records per page")
	cmd.Flags().StringVar(&page.Cursor, "cursor", "", "start after the page that printed this cursor")
	return c.reading.register(cmd)
}

func (c *command) showAudit(cmd *cobra.Command, page ffrtmp.AuditPage) error {
	return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
		list, err := cl.Audit(ctx, page, c.reading.options()...)
		switch {
		case err != nil:
			return fmt.Errorf("read audit log: %w", err)
		case list.Count == 0:
			return c.print(list, cli.Line("No records."))
		}
		return c.print(list, auditTable(list.Records), cli.Line(auditEnd(list)))
	})
}

func auditEnd(list ffrtmp.AuditList) string {
	text := cli.Count(list.Count, "record") + "."
	if list.NextCursor != "" {
		text += fmt.Sprintf(" There are more: use --cursor %s.", list.NextCursor)
	}
	return text
}

func auditTable(records []ffrtmp.AuditRecord) *cli.Table {
	t := cli.NewTable("TIME", "WHO~", "FROM", "ACTION", "TARGET~", "OUTCOME", "DETAIL~?", "REQUEST~?")
	for _, r := range records {
		who := strings.TrimSpace(r.Principal + " " + r.KeyName)
		t.Add(r.Time.UTC().Format(time.RFC3339), who, r.Source, r.Action, r.Target, auditOutcome(r.Outcome), r.Detail,
			r.RequestID)
	}
	return t
}

func auditOutcome(s string) cli.Cell {
	if s == "ok" || s == "requested" {
		return cli.Coloured(s, "")
	}
	return cli.Coloured(s, cli.Yellow)
}
