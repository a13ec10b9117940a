package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// shown is a command of the runbook and the lines that it prints.
type shown struct {
	args  []string
	lines []string
}

func runbook(t *testing.T) (list []shown) {
	t.Helper()
	data, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	prompt := regexp.MustCompile(`^[a-z0-9]+# (?:(ffrtmp) )?(.*)$`)
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllSubmatch(data, -1) {
		ours := false
		for line := range strings.Lines(string(block[1])) {
			line = strings.TrimSpace(line)
			if m := prompt.FindStringSubmatch(line); m != nil {
				if ours = m[1] != ""; ours {
					list = append(list, shown{args: strings.Fields(m[2])})
				}
			} else if ours {
				last := &list[len(list)-1]
				last.lines = append(last.lines, line)
			}
		}
	}
	return list
}

// Every ffrtmp command of the runbook exists, with its flags and arguments.
func TestRunbook_CommandsExist(t *testing.T) {
	list := runbook(t)
	if len(list) < 15 {
		t.Fatalf("got %d commands, want at least 15", len(list))
	}
	for _, s := range list {
		root := (&command{}).root()
		var found *cobra.Command
		found, rest, err := root.Find(s.args)
		if err == nil && !found.Runnable() {
			t.Errorf("%q: got %s, which is no command", s.args, found.CommandPath())
			continue
		}
		if err == nil {
			err = found.ParseFlags(rest)
		}
		if err == nil {
			err = found.ValidateArgs(found.Flags().Args())
		}
		if err != nil {
			t.Errorf("%q: %v", s.args, err)
		}
	}
}

// The lines that the runbook shows are those that the golden files have, or the guide for disasters, which a test
// executes.
func TestRunbook_Output(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, path := range append(files, "../../docs/disaster-recovery.md") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			words := strings.Fields(line)
			for n := range words {
				known[strings.Join(words[:n+1], " ")] = true
			}
		}
	}
	for _, s := range runbook(t) {
		for _, line := range s.lines {
			words := strings.Fields(line)
			if at := slices.Index(words, "…"); at >= 0 {
				words = words[:at]
			}
			if text := strings.Join(words, " "); text != "" && !known[text] {
				t.Errorf("%q: no program prints %q", s.args, text)
			}
		}
	}
}
