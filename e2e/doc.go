// Package e2e tries the programs as their users have them: real masters and agents
// as processes, over real TLS, with real ffmpeg, killed by real signals. What a test
// asserts is what a user would see: answers over HTTP, files in the media root, and
// what /proc says of processes.
//
// Tests tagged chaos (make chaos) run for longer and draw their faults from a seed.
package e2e
