package recipe

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
)

// rtmpURL is an RTMP URL in the parts that the protocol sends separately.
type rtmpURL struct{ scheme, host, app, play string }

// parseRTMP splits a URL as ffmpeg does: in a path of three or more elements, the first
// two are the application and its instance, the rest is the stream. It does not
// unescape, because neither ffmpeg nor servers do.
func parseRTMP(field, raw string) (rtmpURL, error) {
	scheme, rest, _ := strings.Cut(raw, "://")
	authority, path, _ := strings.Cut(rest, "/")
	if _, err := url.Parse(raw); err != nil || authority == "" {
		return rtmpURL{}, failure.Errorf(ffrtmp.UserError, "%s: not an RTMP URL", field)
	}
	if strings.Contains(authority, "@") {
		// ffmpeg takes these only from its command line, which every user of the machine can read.
		return rtmpURL{}, failure.Errorf(ffrtmp.UserError,
			"%s: user names in RTMP URLs are not supported; use a stream key", field)
	}
	u := rtmpURL{scheme: strings.ToLower(scheme), host: authority}
	parts := strings.SplitN(path, "/", 3)
	switch {
	case len(parts) == 3 && !strings.Contains(parts[1], ":"):
		u.app, u.play = parts[0]+"/"+parts[1], parts[2]
	case len(parts) > 1:
		u.app, u.play = parts[0], strings.Join(parts[1:], "/")
	default:
		u.app = path
	}
	return u, nil
}

func (u rtmpURL) tcURL() string { return u.scheme + "://" + u.host + "/" + u.app }

// secrets are the parts that may hold a stream key, longer ones first.
func (u rtmpURL) secrets() []string {
	stream := u.play
	if stream == "" {
		stream = u.app
	}
	last := stream[strings.LastIndexByte(stream, '/')+1:]
	key, _, _ := strings.Cut(last, "?")
	return []string{stream, last, key}
}

// maxOptionBytes bounds a line of an option file; ffmpeg's buffer has 1000.
const maxOptionBytes = 990

// stream adds an RTMP target. The stream's name goes into an option file, which keeps
// its key off the command line: every user of the machine can read that.
func (p *Plan) stream(e ffrtmp.Encoding) error {
	u, err := parseRTMP("rtmp_url", e.URL)
	if err != nil {
		return err
	}
	for _, option := range [][2]string{{"rtmp_app", u.app}, {"rtmp_playpath", u.play}, {"rtmp_tcurl", u.tcURL()}} {
		if option[1] == "" {
			continue // an option file cannot express ""; it is the default
		}
		line := option[0] + "=" + option[1] + "\n"
		if len(line) > maxOptionBytes {
			return failure.Errorf(ffrtmp.UserError, "rtmp_url: too long for ffmpeg")
		}
		p.Options += line
	}
	p.Target = e.URL
	p.Secrets = append(append(p.Secrets, e.URL), u.secrets()...)
	// No timeout: the supervisor watches output time, which stops when a server stalls.
	p.add("-map_metadata", "-1", "-flvflags", "no_duration_filesize",
		"-fpre", fmt.Sprintf("/proc/self/fd/%d", OptionsFD), "-f", "flv", TargetAddress)
	return nil
}
