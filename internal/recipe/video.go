package recipe

import (
	"cmp"
	"math"
	"strconv"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
)

// device adds the options of hardware acceleration, which precede the inputs.
func (p *Plan) device(e ffrtmp.Encoding, m Machine) error {
	encodes, decodes := strings.HasSuffix(e.Encoder, "_vaapi"), e.HWAccel == "vaapi"
	if encodes && m.VAAPIDevice == "" {
		return failure.Errorf(ffrtmp.PlatformError, "%s needs a VAAPI device; this node has none", e.Encoder)
	}
	if (encodes || decodes) && m.VAAPIDevice != "" {
		p.add("-vaapi_device", m.VAAPIDevice)
	}
	// Frames are decoded on the device and copied back, so that filters work with
	// every decoder; ffmpeg decodes in software where the device cannot.
	switch {
	case e.Input == "" || decodes && m.VAAPIDevice == "":
	case e.HWAccel == "nvenc":
		p.add("-hwaccel", "cuda")
	case e.HWAccel != "":
		p.add("-hwaccel", e.HWAccel)
	}
	return nil
}

func (p *Plan) video(e ffrtmp.Encoding, m Machine, s *Source, chosen *selected) {
	if e.Audio() || s != nil && s.video() == nil {
		p.add("-vn")
		return
	}
	if e.Copy {
		p.add("-map", "0:V:0", "-c:v", "copy") // V: no cover pictures
		return
	}
	filters := p.filters(e, m, s, chosen.burnText(&e, s))
	if strings.HasSuffix(e.Encoder, "_vaapi") {
		filters = append(filters, "hwupload")
	}
	if graph := strings.Join(filters, ","); chosen.burntPictures() {
		p.add("-filter_complex", chosen.overlay(s, graph), "-map", "[picture]")
	} else {
		p.add("-map", videoFrom(e), "-vf", graph)
	}
	p.add("-c:v", e.Encoder)
	p.speed(e)
	p.rate(e)
	p.quality(e, s)
	if e.Threads > 0 {
		p.add("-threads", strconv.Itoa(e.Threads))
	}
}

// speed adds the preset, or options that keep an encoder from being impractically slow.
func (p *Plan) speed(e ffrtmp.Encoding) {
	preset := e.Preset
	if preset == "" && e.Mode == ffrtmp.ToRTMP && e.Encoder == "libx264" {
		preset = "veryfast" // a late stream is worse than a large one
	}
	if preset != "" {
		p.add("-preset", preset)
	}
	switch e.Encoder {
	case "libvpx-vp9":
		p.add("-deadline", "good", "-cpu-used", "4", "-row-mt", "1")
	case "libaom-av1":
		p.add("-cpu-used", "6", "-row-mt", "1")
	}
}

// rate adds the bit rate, or a quality where ffmpeg's default would be a fixed low bit
// rate.
func (p *Plan) rate(e ffrtmp.Encoding) {
	bitrate := e.Bitrate
	if bitrate == "" && e.Mode == ffrtmp.ToRTMP && e.CRF == nil {
		bitrate = e.StreamBitrate()
	}
	if bitrate == "" {
		p.constantQuality(e)
		return
	}
	p.add("-b:v", bitrate)
	if e.Encoder == "libsvtav1" {
		return // rejects a maximum beside a target
	}
	peak := bitrate
	if e.Mode != ffrtmp.ToRTMP {
		peak = scaled(bitrate, 1.5)
	}
	p.limit(cmp.Or(e.MaxRate, peak), cmp.Or(e.BufSize, scaled(cmp.Or(e.MaxRate, bitrate), 2)))
}

func (p *Plan) limit(rate, buffer string) { p.add("-maxrate", rate, "-bufsize", buffer) }

// constantQuality adds a quality, at most at a bit rate.
func (p *Plan) constantQuality(e ffrtmp.Encoding) {
	peak := e.MaxRate
	if peak == "" && e.Mode == ffrtmp.ToRTMP {
		peak = e.StreamBitrate()
	}
	quality := func(otherwise int) string {
		if e.CRF != nil {
			otherwise = *e.CRF
		}
		return strconv.Itoa(otherwise)
	}
	switch {
	case e.Encoder == "libvpx-vp9" || e.Encoder == "libaom-av1":
		p.add("-crf", quality(32), "-b:v", cmp.Or(peak, "0")) // the bit rate is a limit then
	case strings.HasSuffix(e.Encoder, "_nvenc"):
		p.add("-rc", "vbr", "-cq", quality(23), "-b:v", "0")
	case strings.HasSuffix(e.Encoder, "_qsv"):
		p.add("-global_quality", quality(23))
	case strings.HasSuffix(e.Encoder, "_vaapi"):
		p.add("-qp", quality(23))
	case e.CRF != nil:
		p.add("-crf", quality(0))
	case peak != "" && e.Encoder == "libsvtav1":
		p.add("-crf", quality(35)) // which takes a maximum with a quality only
	}
	if peak != "" {
		p.limit(peak, cmp.Or(e.BufSize, scaled(peak, 2)))
	}
}

// quality adds the encoder's options.
func (p *Plan) quality(e ffrtmp.Encoding, s *Source) {
	p.keyFrames(e, s)
	if e.Profile != "" {
		p.add("-profile:v", e.Profile)
	}
	if e.Level != "" {
		p.add("-level:v", e.Level)
	}
	switch {
	case e.Tune == "":
	case e.Encoder == "libvpx-vp9":
		p.add("-tune-content", e.Tune)
	default:
		p.add("-tune", e.Tune)
	}
	switch {
	case e.FilmGrain == 0:
	case e.Encoder == "libaom-av1":
		p.add("-denoise-noise-level", strconv.Itoa(e.FilmGrain))
	default:
		p.add("-svtav1-params", "film-grain="+strconv.Itoa(e.FilmGrain))
	}
}

// keyFrames adds the distance of key frames. Viewers of a stream can join, and servers can cut, every two seconds.
func (p *Plan) keyFrames(e ffrtmp.Encoding, s *Source) {
	seconds := e.GOPSeconds
	if seconds == 0 && e.Mode == ffrtmp.ToRTMP {
		seconds = 2
	}
	if seconds == 0 {
		return
	}
	if e.GOPSeconds > 0 {
		p.add("-g", strconv.Itoa(max(1, int(math.Round(seconds*frameRate(e, s))))))
	}
	if e.Encoder == "libsvtav1" {
		return // it ignores forced ones
	}
	p.add("-force_key_frames", "expr:gte(t,n_forced*"+number(seconds)+")")
	if strings.HasSuffix(e.Encoder, "_nvenc") {
		p.add("-forced-idr", "1")
	}
}

// frameRate returns the output's frame rate, as far as it is known.
func frameRate(e ffrtmp.Encoding, s *Source) float64 {
	if e.FPS > 0 {
		return e.FPS
	}
	if v := s.video(); v != nil {
		for _, form := range []string{v.AverageRate, v.BaseRate} {
			if rate, ok := ffprobe.Rate(form); ok && rate >= 1 && rate <= maxRate {
				return rate
			}
		}
	}
	return ffrtmp.PatternFPS
}

// maxRate is the highest frame rate that a header is believed.
const maxRate = 1000

// scaled multiplies a bit rate such as 2500k, whose form ffrtmp.Resolve has checked.
func scaled(bitrate string, factor float64) string {
	return strconv.FormatInt(int64(ffrtmp.BitsPerSecond(bitrate)*factor), 10)
}
