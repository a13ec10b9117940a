package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

func (c *command) audit() *cobra.Command {
	var since time.Duration
	page := ffrtmp.AuditPage{Limit: 100}
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show who has administered what, when and from where, newest first",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if page.Limit < 1 || page.Limit > ffrtmp.MaxLimit {
				return flags.Usagef("--limit must be between 1 and %d", ffrtmp.MaxLimit)
			}
			if since < 0 {
				return flags.Usagef("--since must be a length of time such as 24h")
			}
			if since > 0 {
				page.Since = time.Now().Add(-since)
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			list, err := cl.Audit(cmd.Context(), page)
			if err != nil {
				return fmt.Errorf("audit: %w", err)
			}
			if list.Count == 0 {
				return c.print(list, cli.Line("No records."))
			}
			return c.print(list, auditTable(list.Records), cli.Line(auditEnd(list)))
		},
	}
	cmd.Flags().DurationVar(&since, "since", 0, "how far back, such as 24h (default all)")
	cmd.Flags().IntVar(&page.Limit, "limit", page.Limit, "`NUMBER` of records at most")
	cmd.Flags().StringVar(&page.Cursor, "cursor", "", "go on after this `RECORD` of an earlier page")
	return cmd
}

func auditEnd(list ffrtmp.AuditList) string {
	if list.NextCursor == "" {
		return cli.Count(list.Count, "record") + "."
	}
	return fmt.Sprintf("%s; there are more: --cursor %s", cli.Count(list.Count, "record"), list.NextCursor)
}

func auditTable(records []ffrtmp.AuditRecord) *cli.Table {
	t := cli.NewTable("TIME", "WHO~", "FROM", "ACTION", "TARGET~", "OUTCOME", "DETAIL~?", "REQUEST~?")
	for _, r := range records {
		who := strings.TrimSpace(r.Principal + " " + r.KeyName)
		t.Add(r.Time.UTC().Format(time.RFC3339), who, r.Source, r.Action, r.Target, auditOutcome(r.Outcome), r.Detail, r.RequestID)
	}
	return t
}

func auditOutcome(s string) cli.Cell {
	if s == "ok" || s == "requested" {
		return cli.Coloured(s, "")
	}
	return cli.Coloured(s, cli.Yellow)
}
