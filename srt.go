package ffrtmp

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// SRT is what the URL of an SRT input says beside the server: srt://host:port?streamid=…&passphrase=…
type SRT struct {
	StreamID   string
	Passphrase string // "": not encrypted
	KeyLength  int    // bytes; 0: the library's default
	LatencyMS  int    // 0: the library's default
}

// Bounds of SRT.
const (
	maxStreamID                      = 512
	minPassphrase, maxPassphrase     = 10, 79
	minSRTLatencyMS, maxSRTLatencyMS = 20, 8000
)

// Secrets are what must not be shown. A short stream id is no secret: it may be any word.
func (s *SRT) Secrets() []string {
	const shortest = 4
	if len(s.StreamID) < shortest {
		return []string{s.Passphrase}
	}
	return []string{s.Passphrase, s.StreamID}
}

// ParseSRT reads an SRT URL. The error names parameters.input.
func ParseSRT(raw string) (SRT, error) {
	const field = "parameters.input"
	var s SRT
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Port() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" {
		return s, FieldErrorf(field, "must be srt://host:port, with options such as ?streamid=NAME&passphrase=WORD")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return s, FieldErrorf(field, "must be srt://host:port, with options such as ?streamid=NAME&passphrase=WORD")
	}
	for name, values := range query {
		value := values[len(values)-1]
		if err := s.set(field, name, value); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *SRT) set(field, name, value string) error {
	n, err := strconv.Atoi(value)
	switch name {
	case "mode":
		if value != "caller" {
			return FieldErrorf(field, "mode must be caller: the node connects to the server")
		}
	case "streamid":
		s.StreamID = value
		if checkText(field, value, maxStreamID) != nil {
			return FieldErrorf(field, "streamid must be one line of at most %d bytes", maxStreamID)
		}
	case "passphrase":
		s.Passphrase = value
		if len(value) < minPassphrase || len(value) > maxPassphrase || strings.ContainsAny(value, "\x00\r\n") {
			return FieldErrorf(field, "passphrase must have %d to %d characters", minPassphrase, maxPassphrase)
		}
	case "pbkeylen":
		s.KeyLength = n
		if err != nil || !slices.Contains([]int{16, 24, 32}, n) {
			return FieldErrorf(field, "pbkeylen must be 16, 24 or 32")
		}
	case "latency":
		s.LatencyMS = n
		if err != nil || n < minSRTLatencyMS || n > maxSRTLatencyMS {
			return FieldErrorf(field, "latency must be between %d and %d milliseconds", minSRTLatencyMS,
				maxSRTLatencyMS)
		}
	default:
		return FieldErrorf(field,
			"unknown SRT option %q; use streamid, passphrase, pbkeylen, latency (milliseconds) or mode=caller", name)
	}
	return nil
}
