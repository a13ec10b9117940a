package docs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every alert has an entry in the runbook: what you see, why, what to do, a command, and what it prints. Every entry
// is of an alert, whose URL leads to it.
func TestRunbook_EveryAlert(t *testing.T) {
	rules := read(t, "../deploy/prometheus/rules.yml")
	var alerts, entries []string
	for _, m := range regexp.MustCompile(`(?m)- alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		alerts = append(alerts, m[1])
		if url := "docs/runbook.md#" + strings.ToLower(m[1]) + "\n"; !strings.Contains(rules, url) {
			t.Errorf("%s: got no runbook_url that ends with %s", m[1], url)
		}
	}
	runbook, err := os.ReadFile("runbook.md") // read leaves code out
	if err != nil {
		t.Fatal(err)
	}
	for _, section := range strings.Split(string(runbook), "\n## ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		entries = append(entries, name)
		for what, part := range map[string]string{
			"see": `\*\*See:\*\* \S`, "why": `\*\*Why:\*\* \S`, "do": `\*\*Do:\*\* \S`,
			"a command and what it prints": "(?m)```console\n[a-z0-9]+# \\S.*\n[^`]",
		} {
			if !regexp.MustCompile(part).MatchString(text) {
				t.Errorf("%s: the entry does not say %s", name, what)
			}
		}
	}
	slices.Sort(alerts)
	slices.Sort(entries)
	if !slices.Equal(alerts, entries) || len(alerts) < 14 {
		t.Errorf("got entries %q, want one of each alert %q", entries, alerts)
	}
}
