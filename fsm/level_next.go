//go:build nextlevel

package fsm

// With the tag nextlevel this is a build of the next version: it knows one command more. A
// test runs it beside the usual one.

// Level is one more than the usual build's.
const Level = 2

var _ = func() int {
	kinds[KindNote] = append(kinds[KindNote], commandVersion{decodeNextNote, 2})
	return Level
}()

// newNote returns a note in the newest version of a level.
func newNote(level int, n note) command {
	if level < Level {
		return &n
	}
	return &nextNote{n}
}

// nextNote is a note whose version shows in the audit log.
type nextNote struct{ note }

func (*nextNote) version() uint64       { return 2 }
func decodeNextNote(d *decoder) command { return &nextNote{*decodeNote(d).(*note)} }
func (c *nextNote) audit(*tx) entry {
	return entry{action: c.action, target: c.target, detail: "version=2"}
}
