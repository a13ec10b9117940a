package ui

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// The upper edge of a chart is a round number that is not below any value.
func TestCeiling(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 1},
		{[]float64{0, 0}, 1},
		{[]float64{1}, 1},
		{[]float64{3, 1.1}, 5},
		{[]float64{0.13}, 0.2},
		{[]float64{51}, 100},
		{[]float64{math.NaN(), 1999}, 2000},
		{[]float64{math.Inf(1), 7}, 10},
	} {
		if got := ceiling(c.values); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v: got %v, want %v", c.values, got, c.want)
		}
	}
}

// Bars of one point stand on each other; points of zero draw nothing.
func TestBarChart_Stacks(t *testing.T) {
	c := barChart("Jobs", []string{"12:00", "12:01"},
		series{Label: "completed", Values: []float64{1, 0}}, series{Label: "failed", Values: []float64{1, 2}})
	for i, want := range []string{"M1 80.0h598v80.0h-598z", "M1 0.0h598v80.0h-598zM601 0.0h598v160.0h-598z"} {
		if c.Series[i].Path != want {
			t.Errorf("got %s, want %s", c.Series[i].Path, want)
		}
	}
	if c.Top != "2" || c.Series[1].Last != "3" || c.Spots[1].Text != "12:01\ncompleted: 0\nfailed: 2" {
		t.Errorf("got %+v, want 2 as the top and 3 failed", c)
	}
}

// A value that is missing breaks the line and is not named under the pointer.
func TestLineChart_Gap(t *testing.T) {
	fps := series{Label: "fps", Values: []float64{10, math.NaN(), 5}}
	c := lineChart("Speed", []string{"0s", "1s", "2s"}, number, fps)
	if want := "M200 0.0h4M1000 80.0h4"; c.Series[0].Path != want {
		t.Errorf("got %s, want %s", c.Series[0].Path, want)
	}
	if c.Spots[1].Text != "1s" || c.Series[0].Last != "5" {
		t.Errorf("got %q and %q, want no value at 1s and 5 at the end", c.Spots[1].Text, c.Series[0].Last)
	}
	if empty := lineChart("Speed", nil, number, series{Label: "fps"}); empty.Series[0].Path != "" {
		t.Errorf("got %q of no points, want nothing", empty.Series[0].Path)
	}
}

// What needs attention is named in words, with names up to a bound, and each section of the runbook exists.
func TestOverview_Attention(t *testing.T) {
	p := overviewPage{Window: "1h", Waiting: 2, Online: 1, Reasons: []reasonCount{{"input_error", 6}}}
	p.Cluster.Members = []ffrtmp.Member{
		{Name: "m1", State: ffrtmp.MemberDead}, {Name: "m2", State: ffrtmp.MemberFollower},
	}
	p.Cluster.Warnings = []string{"2 voters: an even number"}
	p.Stats.Totals.Failed, p.Stats.Totals.Completed = 6, 10
	for i := range 5 {
		n := ffrtmp.Node{Status: ffrtmp.NodeOffline}
		n.Name = fmt.Sprintf("n%d", i)
		p.Nodes = append(p.Nodes, n)
	}
	p.Nodes = append(p.Nodes, ffrtmp.Node{EligibilityReason: "5 failures", Machine: ffrtmp.Machine{Name: "n9"}})
	needs := append(p.attention(), (&overviewPage{}).attention()...)
	var texts []string
	for _, n := range needs {
		texts = append(texts, n.Text)
	}
	got := strings.Join(texts, "\n")
	for _, want := range []string{
		"no leader", "master m1 is not answering", "2 voters", "5 nodes (n0, n1, n2 and 2 more) are offline",
		"node n9 is cordoned after failures in a row", "6 jobs of 16 failed in the last 1h, mostly input error",
		"2 jobs waiting, and none runs", "no node is registered",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %q", got, want)
		}
	}
	checkRunbook(t, needs)
}

// checkRunbook fails unless each section that is linked has a heading.
func checkRunbook(t *testing.T, needs []need) {
	t.Helper()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
		sections[strings.ReplaceAll(strings.ToLower(heading[1]), " ", "-")] = true
	}
	for _, n := range needs {
		if !sections[n.Section] || !strings.HasSuffix(n.Runbook(), "#"+n.Section) {
			t.Errorf("%q: got no section %q in the runbook, want it", n.Text, n.Section)
		}
	}
}
