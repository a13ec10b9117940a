package cli

import (
	"errors"
	"time"

	"github.com/spf13/cobra"
)

// timeFlag is a flag that takes a time. It implements pflag.Value.
type timeFlag struct{ value *time.Time }

func (t timeFlag) String() string {
	if t.value == nil || t.value.IsZero() {
		return ""
	}
	return t.value.Format(time.RFC3339)
}

func (t timeFlag) Type() string { return "time" }

// Set implements pflag.Value. It takes an RFC 3339 time, a date, or a duration that lies between the time and now.
func (t timeFlag) Set(s string) error {
	if ago, err := time.ParseDuration(s); err == nil && ago >= 0 {
		*t.value = time.Now().Add(-ago)
		return nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if parsed, err := time.Parse(layout, s); err == nil {
			*t.value = parsed
			return nil
		}
	}
	return errors.New("must be a time such as 2026-01-02T03:04:05Z, a date, or a duration ago such as 24h")
}

// TimeVar gives cmd a flag that takes a time.
func TimeVar(cmd *cobra.Command, value *time.Time, name, usage string) {
	cmd.Flags().Var(timeFlag{value}, name, usage+" (2026-01-02T03:04:05Z, or 24h ago: 24h)")
}
