package fsm

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
)

// dirs are the directories of a job's files whose paths are absolute; "" for another file.
type dirs struct{ input, output string }

// dirsOf returns the directories in a job's parameters, a valid JSON object; nil for none.
func dirsOf(parameters string) *dirs {
	if !strings.Contains(parameters, `":"/`) && strings.IndexByte(parameters, '\\') < 0 {
		return nil
	}
	var files struct {
		Input  string `json:"input"`
		Output string `json:"output"`
	}
	_ = json.Unmarshal([]byte(parameters), &files) // they were decoded before
	d := dirs{dirOf(files.Input), dirOf(files.Output)}
	if d == (dirs{}) {
		return nil
	}
	return &d
}

func dirOf(file string) string {
	if !path.IsAbs(file) {
		return ""
	}
	return path.Dir(path.Clean(file))
}

// mediaRoots are the roots that nodes declare, removed ones included. The jobs of one class have their files below the
// same roots, which limits the number of classes.
type mediaRoots struct {
	nodes map[string]int // by root
	jobs  map[dirs]*sharedDirs
}

// sharedDirs are the directories of some unfinished jobs.
type sharedDirs struct {
	dirs
	jobs int
}

func newMediaRoots() mediaRoots { return mediaRoots{map[string]int{}, map[dirs]*sharedDirs{}} }

// count adds nodes that declare the roots. It reports whether other roots are declared than before.
func (m *mediaRoots) count(roots []string, add int) (changed bool) {
	for _, root := range roots {
		before := m.nodes[root]
		m.nodes[root] += add
		if m.nodes[root] == 0 {
			delete(m.nodes, root)
		}
		changed = changed || before == 0 || before+add == 0
	}
	return changed
}

// use lets jobs with the same directories share them in memory; drop ends a job's use.
func (m *mediaRoots) use(j *activeJob) {
	if j.dirs == nil {
		return
	}
	shared := m.jobs[*j.dirs]
	if shared == nil {
		shared = &sharedDirs{dirs: *j.dirs}
		m.jobs[*j.dirs] = shared
	}
	shared.jobs++
	j.dirs = &shared.dirs
}

func (m *mediaRoots) drop(j *activeJob) {
	if j.dirs == nil {
		return
	}
	shared := m.jobs[*j.dirs]
	if shared.jobs--; shared.jobs == 0 {
		delete(m.jobs, *j.dirs)
	}
}

// above returns the deepest root that contains a directory, or "/"; "" for "".
func (m *mediaRoots) above(dir string) string {
	for dir != "" && dir != "/" && m.nodes[dir] == 0 {
		dir = path.Dir(dir)
	}
	return dir
}

// keyOf returns the key of a job's class; d may be nil.
func (m *mediaRoots) keyOf(requires string, d *dirs) classKey {
	return m.complete(classKey{requires: requires}, d)
}

// complete sets the roots of a key.
func (m *mediaRoots) complete(key classKey, d *dirs) classKey {
	if d != nil {
		key.input, key.output = m.above(d.input), m.above(d.output)
	}
	return key
}

// declare replaces the roots that the node declares.
func (s *state) declare(n *node, roots []string) {
	if slices.Equal(n.MediaRoots, roots) {
		return
	}
	added := s.mediaRoots.count(roots, 1)
	removed := s.mediaRoots.count(n.MediaRoots, -1)
	n.MediaRoots = roots
	if !added && !removed || len(s.mediaRoots.jobs) == 0 {
		return
	}
	for _, j := range s.jobs {
		if key := s.mediaRoots.complete(j.class.key, j.dirs); key != j.class.key {
			// The requirements and the avoided nodes were parsed before, so this cannot fail.
			_ = s.reclassify(j, key)
		}
	}
}

// reclassify moves an unfinished job into another class.
func (s *state) reclassify(j *activeJob, key classKey) error {
	c, err := s.ready.class(key)
	if err != nil {
		return err
	}
	waits := j.heap != nil
	s.ready.remove(j)
	c.users++
	s.ready.release(j.class)
	j.class = c
	if waits {
		s.enqueue(j)
	}
	return nil
}

// reaches reports whether the node's roots contain the files of a class, as far as it declares them.
func (n *node) reaches(c *class) bool {
	return len(n.MediaRoots) == 0 || n.contains(c.key.input) && n.contains(c.key.output)
}

// contains reports whether a directory is below a root of the node, or a root; true for "".
func (n *node) contains(dir string) bool {
	return dir == "" || slices.ContainsFunc(n.MediaRoots, func(root string) bool {
		return dir == root || root == "/" || strings.HasPrefix(dir, root+"/")
	})
}

// reachable reports whether a registered node could run the class and may have its files. One that declares so is
// waited for; one that declares nothing counts while it gets jobs, and has not said otherwise.
func (s *state) reachable(c *class) bool {
	for key, n := range s.nodes.byKey {
		if n.Removed || !n.reaches(c) || c.requires.Unmet(&n.Node.Node) != "" {
			continue
		}
		if len(n.MediaRoots) > 0 || n.usable() && !slices.Contains(c.avoid, key) {
			return true
		}
	}
	return false
}

// outside returns the ids of the nodes that do not get the class because of their roots.
func (s *state) outside(c *class) []string {
	if c.key.input == "" && c.key.output == "" || !s.reachable(c) {
		return nil
	}
	var ids []string
	for _, n := range s.nodes.byKey {
		if !n.Removed && !n.reaches(c) {
			ids = append(ids, n.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
