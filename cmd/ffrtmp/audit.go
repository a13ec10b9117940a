package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

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
