//go:build !nextlevel

package fsm

// Level is the highest command level that this build can apply; masters exchange it.
// A version is proposed only when every member has its level.
const Level = 1

// newNote returns a note in the newest version of a level.
func newNote(_ int, n note) command { return &n }
