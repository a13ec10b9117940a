package agent

import (
	"unicode/utf8"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/supervisor"
)

const (
	maxReportedLog = 16 << 10 // per attempt and heartbeat
	maxLogBacklog  = 64 << 10 // further behind, the report skips to the end
)

// logSince returns at most maxReportedLog bytes of log, where they begin and where the
// next report continues.
func logSince(p *supervisor.Process, offset, size int64) (text string, from, next int64) {
	if size-offset > maxLogBacklog {
		offset = size - maxReportedLog
	}
	data, from, err := p.ReadLog(offset, maxReportedLog)
	if err != nil || len(data) == 0 {
		return "", offset, offset
	}
	data = wholeRunes(data)
	return printable(data), from, from + int64(len(data))
}

// finalLog returns the log tail for a result, and how many bytes of the log come before it.
func finalLog(p *supervisor.Process) (log string, offset int64) {
	if p == nil {
		return "", 0
	}
	st, err := p.State()
	if err != nil {
		return "", 0
	}
	data, offset, err := p.ReadLog(max(0, st.LogSize-ffrtmp.MaxLogBytes), ffrtmp.MaxLogBytes)
	if err != nil {
		return "", 0
	}
	return printable(data), offset
}

// wholeRunes cuts off an incomplete last rune.
func wholeRunes(data []byte) []byte {
	for i := 1; i < utf8.UTFMax && i < len(data); i++ {
		if last := data[len(data)-i:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				return data[:len(data)-i]
			}
			break
		}
	}
	return data
}

// printable replaces each invalid byte with one question mark, so that offsets stay
// valid.
func printable(data []byte) string {
	if utf8.Valid(data) {
		return string(data)
	}
	out := make([]byte, 0, len(data))
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			out = append(out, '?')
		} else {
			out = append(out, data[:n]...)
		}
		data = data[n:]
	}
	return string(out)
}
