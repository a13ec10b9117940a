package e2e

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// damageTable is one of the tables in docs/failure-semantics.md that say what a damaged file does. The tests walk it.
type damageTable struct {
	kinds []string            // columns
	rows  []string            // files, as the table names them
	cells map[string][]string // outcomes by file and kind
}

// readDamageTable returns the table under a heading.
func readDamageTable(t *testing.T, heading string) damageTable {
	t.Helper()
	data, err := os.ReadFile("../docs/failure-semantics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(data), heading+"\n")
	if !found {
		t.Fatalf("docs/failure-semantics.md has no heading %q", heading)
	}
	table := damageTable{cells: map[string][]string{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			if len(table.rows) > 0 || strings.HasPrefix(line, "#") {
				break
			}
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		switch {
		case table.kinds == nil:
			table.kinds = cells[1:]
		case strings.HasPrefix(cells[0], "---"):
		default:
			table.rows = append(table.rows, cells[0])
			for i, kind := range table.kinds {
				table.cells[cells[0]+"/"+kind] = strings.Split(cells[1+i], " or ")
			}
		}
	}
	return table
}

// The outcomes that the tables name.
const (
	starts    = "starts"     // as before
	newMember = "new member" // the old files are set aside
	exits     = "exits"      // with a line that names the file
	recovers  = "recover"    // exits with a line that names ffrtmp recover
)

// damages are the kinds of damage. Another and older are the same file of another master and an older one.
var damages = map[string]func(draw *rand.Rand, path, another, older string) error{
	"missing": func(draw *rand.Rand, path, _, _ string) error {
		err := os.Remove(path)
		if err == nil && draw.IntN(2) == 0 {
			err = os.Symlink(path+"-moved", path)
		}
		return err
	},
	"empty": func(_ *rand.Rand, path, _, _ string) error {
		return rewrite(path, func([]byte) []byte { return nil })
	},
	"truncated": func(draw *rand.Rand, path, _, _ string) error {
		return rewrite(path, func(data []byte) []byte { return data[:draw.IntN(max(1, len(data)))] })
	},
	"other bytes": func(draw *rand.Rand, path, _, _ string) error {
		return rewrite(path, otherBytes[draw.IntN(len(otherBytes))](draw))
	},
	"a directory": func(_ *rand.Rand, path, _, _ string) error {
		return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
	},
	"another master's": func(_ *rand.Rand, path, another, _ string) error { return replaceBy(path, another) },
	"older copy":       func(_ *rand.Rand, path, _, older string) error { return replaceBy(path, older) },
}

// otherBytes are ways in which a disk returns other bytes than were written.
var otherBytes = []func(draw *rand.Rand) func(data []byte) []byte{
	func(draw *rand.Rand) func([]byte) []byte { // bits flip
		return func(data []byte) []byte {
			for range max(1, min(len(data)/256, 40)) {
				if len(data) > 0 {
					data[draw.IntN(len(data))] ^= 1 << draw.IntN(8)
				}
			}
			return data
		}
	},
	func(draw *rand.Rand) func([]byte) []byte { // a page has zeros
		return func(data []byte) []byte {
			clear(page(data, draw.IntN(pages(data))))
			return data
		}
	},
	func(draw *rand.Rand) func([]byte) []byte { // a page has another's bytes
		return func(data []byte) []byte {
			copy(page(data, draw.IntN(pages(data))), page(data, draw.IntN(pages(data))))
			return data
		}
	},
	func(draw *rand.Rand) func([]byte) []byte { // the file is longer
		return func(data []byte) []byte {
			for range 1 + draw.IntN(2*pageSize) {
				data = append(data, byte(draw.IntN(256)))
			}
			return data
		}
	},
}

const pageSize = 4096

func pages(data []byte) int { return max(1, (len(data)+pageSize-1)/pageSize) }

// page is the n-th page of a file.
func page(data []byte, n int) []byte { return data[n*pageSize : min(len(data), (n+1)*pageSize)] }

// rewrite replaces the contents of a file, and a link by a file.
func rewrite(path string, change func([]byte) []byte) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.WriteFile(path, change(data), info.Mode().Perm()&0o600)
}

// replaceBy replaces a file by another, and a link by one to where the other points.
func replaceBy(path, from string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	if _, err := os.Readlink(from); err == nil {
		target, err := filepath.EvalSymlinks(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, path)
	}
	return restoreFile(path, from)
}

// restoreFile copies a file, or a link as it is.
func restoreFile(path, from string) error {
	if target, err := os.Readlink(from); err == nil {
		return os.Symlink(target, path)
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// damagedFile finds a file in a directory, "" when there is none.
func damagedFile(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		return ""
	}
	return slices.Max(found)
}

// damageCase is one cell of a table.
type damageCase struct{ file, kind string }

// afterKill reports whether the file is empty after a clean stop.
func (c damageCase) afterKill() bool {
	return c.file == "raft.journal" || strings.HasSuffix(c.file, "-wal")
}

// cases returns those cells of the table that name an outcome. The table must have the given files.
func (d damageTable) cases(t *testing.T, files map[string]string) (list []damageCase) {
	t.Helper()
	if got, want := slices.Sorted(slices.Values(d.rows)), slices.Sorted(maps.Keys(files)); !slices.Equal(got, want) {
		t.Errorf("docs/failure-semantics.md: got rows %q, want %q", got, want)
	}
	for _, file := range d.rows {
		for _, kind := range d.kinds {
			if d.cells[file+"/"+kind][0] != "–" {
				list = append(list, damageCase{file, kind})
			}
		}
	}
	return list
}

// allows checks that the table names the outcome. Damage to a part of the file that is not used changes nothing; only
// bbolt leaves such a part at the end.
func (d damageTable) allows(t *testing.T, c damageCase, outcome string) {
	t.Helper()
	want := d.cells[c.file+"/"+c.kind]
	unused := c.kind == "other bytes" || c.kind == "truncated" && c.file == "raft.db"
	if !slices.Contains(want, outcome) && (outcome != starts || !unused) {
		t.Errorf("%s, %s: got %q, want %q", c.file, c.kind, outcome, want)
	}
}

// outcomeOfExit checks the last line that a master printed, and returns what it asks for.
func outcomeOfExit(t *testing.T, text, path string) string {
	t.Helper()
	text = strings.TrimSpace(text)
	last := text[strings.LastIndexByte(text, '\n')+1:]
	if strings.Contains(text, "goroutine ") || strings.Contains(text, "panic") {
		t.Errorf("got a stack trace, want one line:\n%s", text)
	}
	if strings.Contains(last, "ffrtmp recover --raft-dir") {
		return recovers
	}
	if !strings.Contains(last, filepath.Base(path)) {
		t.Errorf("got last line %q, want the name of %s", last, path)
	}
	return exits
}

// pick returns n of the cases, drawn.
func pick(draw *rand.Rand, list []damageCase, n int) []damageCase {
	draw.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:min(n, len(list))]
}

// singleFiles are the files of a single master, as the table names them.
var singleFiles = map[string]string{
	"raft.db": "master.raft/raft.db", "raft.journal": "master.raft/raft.journal", "raft.mark": "master.raft/raft.mark",
	"identity.json": "master.raft/identity.json", "cluster.json": "master.raft/cluster.json",
	"addresses.json":        "master.raft/addresses.json",
	"snapshots/…/meta.json": "master.raft/snapshots/*/meta.json",
	"snapshots/…/state.bin": "master.raft/snapshots/*/state.bin",
	"state-….db":            "master.raft/state-*.db",
	"state-….db-wal":        "master.raft/state-*.db-wal",
	"state-trust.json":      "master.raft/state-trust.json",
	"--db":                  "master.db",
	"--cert":                "certs/master.crt",
	"--key":                 "certs/master.key",
}

// singleDamage walks the table of a single master.
type singleDamage struct {
	t     *testing.T
	table damageTable
	draw  *rand.Rand

	stopped, killed, older, another string            // directories
	jobs                            map[string][]byte // by directory
}

const damageJobs = 12

// prepareSingle makes the directories that the cases are copies of. Each has a snapshot, which recover has written.
func prepareSingle(t *testing.T, seed uint64) *singleDamage {
	t.Helper()
	root := t.TempDir()
	s := &singleDamage{
		t: t, table: readDamageTable(t, "### A single master"), draw: rand.New(rand.NewPCG(seed, 1)),
		stopped: filepath.Join(root, "stopped"), killed: filepath.Join(root, "killed"),
		older: filepath.Join(root, "older"), another: filepath.Join(root, "another"),
	}
	for _, dir := range []string{s.another, s.stopped} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		s.fill(dir)
		recoverMaster(t, dir, filepath.Join(dir, "master.raft"))
		s.fill(dir)
	}
	s.copyDir(s.stopped, s.older)
	s.jobs = map[string][]byte{s.stopped: s.fill(s.stopped)}
	s.copyDir(s.stopped, s.killed)
	m := launchMaster(t, s.killed)
	for _, verb := range []string{"pause", "resume"} {
		m.call(t, "POST", m.url+"/jobs/1/"+verb, "").want(t, 200)
	}
	s.jobs[s.killed] = s.list(m)
	m.kill()
	return s
}

// fill runs a master in a directory, submits jobs and returns all of them.
func (s *singleDamage) fill(dir string) []byte {
	s.t.Helper()
	m := launchMaster(s.t, dir)
	for range damageJobs / 3 {
		m.call(s.t, "POST", m.url+"/jobs", `{"scenario":"720p-h264"}`).want(s.t, 201)
	}
	jobs := s.list(m)
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	if status := m.status(s.t); status != 0 {
		s.t.Fatalf("got status %d, want 0", status)
	}
	return jobs
}

func (s *singleDamage) list(m *single) []byte {
	s.t.Helper()
	return m.call(s.t, "GET", m.url+"/jobs?consistent&order=asc", "").want(s.t, 200).body
}

func (s *singleDamage) copyDir(from, to string) {
	s.t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		s.t.Fatal(err)
	}
}

// walk damages a file of a copy, starts a master on it and checks what happens.
func (s *singleDamage) walk(c damageCase) {
	t, dir, from, pattern := s.t, filepath.Join(s.t.TempDir(), "m"), s.stopped, singleFiles[c.file]
	t.Helper()
	if c.afterKill() {
		from = s.killed
	}
	s.copyDir(from, dir)
	path, intact := damagedFile(t, dir, pattern), damagedFile(t, from, pattern)
	if path == "" {
		t.Fatalf("got no file %s", c.file)
	}
	err := damages[c.kind](s.draw, path, damagedFile(t, s.another, pattern), damagedFile(t, s.older, pattern))
	if err != nil {
		t.Fatal(err)
	}
	m, ready := tryMaster(t, dir)
	outcome := starts
	if !ready {
		outcome = outcomeOfExit(t, m.output.String(), path)
	}
	s.table.allows(t, c, outcome)
	switch outcome {
	case exits:
		if err := errors.Join(os.RemoveAll(path), restoreFile(path, intact)); err != nil {
			t.Fatal(err)
		}
		m = launchMaster(t, dir)
	case recovers:
		recoverMaster(t, dir, filepath.Join(dir, "master.raft"))
		m = launchMaster(t, dir)
	}
	if got := s.list(m); !bytes.Equal(got, s.jobs[from]) {
		t.Errorf("%s, %s: got jobs\n%s\nwant\n%s", c.file, c.kind, got, s.jobs[from])
	}
	m.call(t, "POST", m.url+"/jobs", `{"scenario":"720p-h264"}`).want(t, 201)
	m.kill()
	if t.Failed() {
		t.Fatalf("%s, %s: the master printed\n%s", c.file, c.kind, m.output)
	}
}

// A single master detects what is damaged, repairs it or names what to do, and loses nothing.
func TestDamage_SingleMaster(t *testing.T) {
	s := prepareSingle(t, 1)
	for _, c := range pick(s.draw, s.table.cases(t, singleFiles), 8) {
		s.walk(c)
	}
}
