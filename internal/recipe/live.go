package recipe

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
)

// srt adds an SRT input, which is an MPEG-TS stream. ffmpeg reads stream id and passphrase from a playlist: every user
// of the machine can read its command line.
func (p *Plan) srt(e ffrtmp.Encoding) error {
	s, err := ffrtmp.ParseSRT(e.Input)
	if err != nil {
		return failure.Errorf(ffrtmp.UserError, "%w", err)
	}
	p.Secrets = append(p.Secrets, s.Secrets()...)
	var options [][2]string
	for _, option := range [][2]string{
		{"mode", "caller"},
		{"connect_timeout", "15000"},
		{"streamid", s.StreamID},
		{"passphrase", s.Passphrase},
		{"pbkeylen", positive(s.KeyLength)},
		{"latency", positive(s.LatencyMS * 1000)}, // which ffmpeg counts in µs
		{"format_whitelist", "mpegts"},
	} {
		if option[1] != "" {
			options = append(options, option)
		}
	}
	p.Playlist = "ffconcat version 1.0\nfile " + SourceAddress + "\n"
	for _, option := range options {
		p.Playlist += "option " + option[0] + " " + quoted(option[1]) + "\n"
	}
	p.add("-protocol_whitelist", "file,srt", "-format_whitelist", "concat,mpegts", "-f", "concat", "-safe", "0",
		"-i", fmt.Sprintf("file:/proc/self/fd/%d", PlaylistFD))
	return nil
}

func positive(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// quoted is a word of a playlist.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// rtsp adds an RTSP input over TCP. The endpoint has the path and the credentials.
func (p *Plan) rtsp(e ffrtmp.Encoding) {
	if u, err := url.Parse(e.Input); err == nil {
		password, _ := u.User.Password()
		p.Secrets = append(p.Secrets, password, u.RawQuery)
	}
	p.add("-protocol_whitelist", "rtsp,rtp,tcp", "-format_whitelist", "rtsp", "-rtsp_transport", "tcp", "-i",
		SourceAddress)
}
