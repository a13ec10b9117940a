// Package e2e tests the programs as users run them: masters and agents as processes,
// over TLS, with ffmpeg, killed by signals. Tests check what a user sees: HTTP answers,
// files in the media root, and processes in /proc.
//
// Tests with the build tag chaos (make chaos) run longer and choose their faults from a seed.
package e2e
