package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var testName = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// Every row of docs/v2.2-parity.md names an existing test.
func TestParity_EveryRowHasATest(t *testing.T) {
	there := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range testName.FindAllStringSubmatch(string(text), -1) {
			there[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("../docs/v2.2-parity.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(table)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) == 2 || cells[0] == "| of" {
			continue
		}
		rows++
		if len(cells) != 4 || strings.TrimSpace(cells[2]) == "" {
			t.Errorf("row %q: missing a way to try it", line)
			continue
		}
		for name := range strings.SplitSeq(strings.TrimSuffix(cells[3], " |"), ", ") {
			if name != "–" && !there[strings.Trim(name, "`")] {
				t.Errorf("%s: no test %s", cells[1], name)
			}
		}
	}
	if rows < 50 {
		t.Errorf("got %d rows, want at least 50", rows)
	}
}
