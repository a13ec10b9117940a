package ffrtmp

import (
	"encoding/json"
	"strings"
)

// Forever is a number of connections without limit.
const Forever = -1

const (
	defaultReconnect = 3
	maxReconnect     = 1000
	forever          = "forever"
)

// resolveReconnect applies reconnect, which streams alone have.
func resolveReconnect(e *Encoding, p Parameters) error {
	const field = "parameters.reconnect"
	switch {
	case e.Mode != ToRTMP && p.Reconnect.given():
		return FieldErrorf(field, "requires output_mode rtmp")
	case e.Mode != ToRTMP:
		return nil
	case !p.Reconnect.given():
		e.Reconnect = defaultReconnect
		return nil
	}
	var text string
	switch isText := json.Unmarshal(p.Reconnect.RawMessage, &text) == nil; {
	case isText && text == forever:
		e.Reconnect = Forever
	case isText || json.Unmarshal(p.Reconnect.RawMessage, &e.Reconnect) != nil || e.Reconnect < 0 ||
		e.Reconnect > maxReconnect:
		return FieldErrorf(field, "must be a whole number between 0 and %d, or %q", maxReconnect, forever)
	}
	e.Rejoin = e.Reconnect != 0 && LiveInput(e.Input)
	return nil
}

// LiveInput reports whether an input is a live stream, which has neither a beginning nor a second time.
func LiveInput(input string) bool {
	switch scheme := strings.ToLower(schemeOf(input)); scheme {
	case "srt", "rtsp", "rtsps":
		return true
	}
	return rtmp(input)
}

// rtmp reports whether an address is one of RTMP, whose last part is a secret.
func rtmp(address string) bool { return strings.HasPrefix(strings.ToLower(schemeOf(address)), "rtmp") }
