package recipe

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
)

// InputFormats are the demuxers that an input may use. Playlists and scripts (hls,
// concat, sdp…) are excluded: they name further files and servers, outside the media
// roots and the endpoints.
const InputFormats = "aac,ac3,aiff,amr,ape,asf,au,av1,avi,caf,dhav,dts,dtshd,dv,eac3,flac,flv,gif,gxf,h264," +
	"hevc,ivf,live_flv,loas,m4v,matroska,mjpeg,mlp,mov,mp3,mpeg,mpegts,mpegvideo,mxf,nsv,nut,nuv,obu,ogg,rm,tak," +
	"truehd,tta,vc1,w64,wav,wtv,wv,yuv4mpegpipe"

// ioTimeout is how long ffmpeg waits for a silent source, in microseconds.
const ioTimeout = "30000000"

func (p *Plan) input(e ffrtmp.Encoding, roots Roots) error {
	scheme, _, remote := strings.Cut(e.Input, "://")
	scheme = strings.ToLower(scheme)
	if e.Mode == ffrtmp.ToRTMP && !live(e) && !e.Still {
		p.add("-re") // a server expects a stream in real time
	}
	switch {
	case e.Input == "":
		p.pattern(e)
		return nil
	case !remote:
		f, err := roots.Input("input", e.Input)
		if err != nil {
			return err
		}
		p.Input = &f
		if e.Still {
			p.still(e, e.Input, InputFD)
			return nil
		}
		p.add("-protocol_whitelist", "file", "-format_whitelist", InputFormats, "-i",
			fmt.Sprintf("file:/proc/self/fd/%d", InputFD))
		return nil
	}
	p.Source = e.Input
	p.Secrets = append(p.Secrets, e.Input)
	switch scheme {
	case "http", "https":
		p.add(HTTPOptions()...)
	case "rtmp", "rtmps":
		u, err := parseRTMP("input", e.Input)
		if err != nil {
			return err
		}
		p.Secrets = append(p.Secrets, u.secrets()...)
		// ffmpeg reads no options of an input from a file, so these are on the command line.
		p.add("-protocol_whitelist", "rtmp,tcp", "-format_whitelist", InputFormats, "-rw_timeout", ioTimeout,
			"-rtmp_app", u.app, "-rtmp_playpath", u.play, "-rtmp_tcurl", u.tcURL())
	case "srt":
		return p.srt(e)
	case "rtsp", "rtsps":
		p.rtsp(e)
		return nil
	default:
		return failure.Errorf(ffrtmp.UserError, "input: the scheme %q is not allowed", scheme)
	}
	p.add("-i", SourceAddress)
	return nil
}

// pattern adds a moving test picture and a tone.
func (p *Plan) pattern(e ffrtmp.Encoding) {
	if !e.Audio() {
		p.add("-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%dx%d:rate=%s", e.Width, e.Height,
			number(cmp.Or(e.FPS, ffrtmp.PatternFPS)))+skipped("", e.Start))
	}
	if e.AudioEncoder == "" {
		return
	}
	if e.Mode == ffrtmp.ToRTMP {
		p.add("-re") // is said of each input
	}
	p.add("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"+skipped("a", e.Start))
}

// HTTPOptions are the options of ffmpeg and ffprobe for an HTTP input. A broken response is continued where it broke.
func HTTPOptions() []string {
	return []string{
		"-protocol_whitelist", "http,tcp", "-format_whitelist", InputFormats,
		"-rw_timeout", ioTimeout, "-reconnect", "1", "-reconnect_delay_max", "5",
	}
}
