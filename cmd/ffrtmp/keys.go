package main

import (
	"context"
	"fmt"
	"slices"
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
	return group("keys", "Make and revoke API keys", c.keysCreate(), c.keysList(), c.keysRevoke())
}

func (c *command) keysCreate() *cobra.Command {
	var k ffrtmp.NewKey
	var scopes []string
	var expires expiry
	cmd := &cobra.Command{
		Use:   "create NAME --scope SCOPE",
		Short: "Make a key, and print it this once",
		Long: `Make a key for the user or machine called NAME, and print it: it is shown this once,
alone on standard output, so that it can go straight into a file:

  (umask 077; ffrtmp keys create encoders --scope agent --expires 90d > encoders.key)

Scopes: admin allows everything; submit to submit jobs, to act on them and to read;
read to look at jobs, nodes and masters; agent is for machines that run jobs.`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			k.Name = args[0]
			if len(scopes) == 0 {
				return flags.Usagef("--scope is missing: name one or more of %s", ffrtmp.JoinScopes(ffrtmp.Scopes, ", "))
			}
			for _, s := range scopes {
				k.Scopes = append(k.Scopes, ffrtmp.Scope(s))
			}
			k.ExpiresAt.Time, k.ExpiresIn = expires.at, ffrtmp.Duration(expires.in)
			if err := k.Validate(); err != nil {
				return flags.Usagef("%v", err)
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			made, err := cl.CreateKey(cmd.Context(), k)
			if err != nil {
				return fmt.Errorf("create key %s: %w", k.Name, err)
			}
			if c.settings.Format == cli.FormatTable {
				fmt.Fprintf(c.err, "Made key %s for %s, with the scope %s; it %s. Keep it safe: it is not shown again.\n",
					made.ID, cli.Printable(made.Name), ffrtmp.JoinScopes(made.Scopes, ", "), expiryText(made.ExpiresAt))
			}
			return c.print(made, cli.Line(made.Secret))
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&scopes, "scope", nil, "what the key allows; repeat it, or separate by commas, for several: "+ffrtmp.JoinScopes(ffrtmp.Scopes, ", "))
	f.Var(&expires, "expires", "when it ends: after 90d or 12h, or at 2027-01-31 (default never)")
	f.IntVar(&k.RateLimit, "rate-limit", 0, "requests a second that each master takes (default the masters')")
	cli.Complete(cmd, "scope", strings.Split(ffrtmp.JoinScopes(ffrtmp.Scopes, " "), " ")...)
	return cmd
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
func (e *expiry) Type() string   { return "WHEN" }

// Set implements pflag.Value.
func (e *expiry) Set(s string) (err error) {
	e.text = s
	if number, ok := strings.CutSuffix(s, "d"); ok {
		if days, err := strconv.ParseUint(number, 10, 16); err == nil && days > 0 {
			e.in = time.Duration(days) * 24 * time.Hour
			return nil
		}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if e.at, err = time.Parse(layout, s); err == nil {
			if time.Until(e.at) <= 0 {
				return fmt.Errorf("lies in the past")
			}
			return nil
		}
	}
	if e.in, err = time.ParseDuration(s); err != nil || e.in <= 0 {
		return fmt.Errorf("must be a length of time such as 90d or 12h, or a date such as 2027-01-31")
	}
	return nil
}

func (c *command) keysList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List keys, those that have ended, too",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			keys, err := cl.Keys(cmd.Context())
			if err != nil {
				return fmt.Errorf("list keys: %w", err)
			}
			if keys == nil {
				keys = []ffrtmp.Key{}
			}
			list := ffrtmp.KeyList{Keys: keys, Count: len(keys)}
			if len(keys) == 0 {
				return c.print(list, cli.Line("No keys but the one that the masters were started with."))
			}
			return c.print(list, keyTable(keys), cli.Line(cli.Count(len(keys), "key")+"."))
		},
	}
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
		t.Add(k.ID, k.Name, ffrtmp.JoinScopes(k.Scopes, ","), keyStatus(k.Status), cli.Age(k.CreatedAt), expires, limit, k.CreatedBy)
	}
	return t
}

func keyStatus(s ffrtmp.KeyStatus) cli.Cell {
	return cli.Coloured(string(s), map[ffrtmp.KeyStatus]cli.Colour{ffrtmp.KeyActive: cli.Green, ffrtmp.KeyExpired: cli.Faint, ffrtmp.KeyRevoked: cli.Red}[s])
}

func (c *command) keysRevoke() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke KEY",
		Short: "Make a key unusable, by id, unambiguous beginning of it, or name",
		Args:  exactly("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			id, err := findKey(cmd.Context(), cl, args[0])
			if err == nil {
				err = cl.RevokeKey(cmd.Context(), id)
			}
			if err != nil {
				return fmt.Errorf("revoke key %s: %w", cli.Printable(args[0]), err)
			}
			return c.print(map[string]string{"status": string(ffrtmp.KeyRevoked), "key_id": id}, cli.Line("Key "+id+" revoked."))
		},
	}
}

// findKey returns the id of the key that name stands for. Of keys with one name, as
// during a rotation, only the id tells.
func findKey(ctx context.Context, cl *client.Client, name string) (string, error) {
	if id, _, whole := strings.Cut(name, "."); whole && len(id) == 16 {
		return "", flags.Usagef("this is a whole key, and now stands in the shell's history: revoke it as %s", id)
	}
	keys, err := cl.Keys(ctx)
	if err != nil {
		return "", err
	}
	var found []string
	for _, k := range keys {
		if k.ID == name {
			return k.ID, nil
		}
		if k.Status == ffrtmp.KeyActive && (k.Name == name || len(name) >= 4 && strings.HasPrefix(k.ID, name)) {
			found = append(found, k.ID)
		}
	}
	slices.Sort(found)
	switch len(found) {
	case 0:
		return "", ffrtmp.Errorf(ffrtmp.NotFound, "no key has this id, and no active one this name (see ffrtmp keys list)")
	case 1:
		return found[0], nil
	}
	return "", ffrtmp.Errorf(ffrtmp.Conflict, "several keys are called that: %s; use an id", strings.Join(found, ", "))
}
