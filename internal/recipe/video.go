package recipe

import (
	"strconv"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
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

func (p *Plan) video(e ffrtmp.Encoding, m Machine, s *Source) {
	if e.Audio() || s != nil && s.Video() == nil {
		p.add("-vn")
		return
	}
	p.add("-map", "0:V:0") // V: no cover pictures
	if e.Copy {
		p.add("-c:v", "copy")
		return
	}
	filters := p.filters(e, m, s)
	if strings.HasSuffix(e.Encoder, "_vaapi") {
		filters = append(filters, "hwupload")
	}
	p.add("-vf", strings.Join(filters, ","), "-c:v", e.Encoder)
	p.speed(e)
	p.rate(e)
	if e.Mode == ffrtmp.ToRTMP {
		// Viewers can join, and servers can cut, every two seconds.
		p.add("-force_key_frames", "expr:gte(t,n_forced*2)")
		if strings.HasSuffix(e.Encoder, "_nvenc") {
			p.add("-forced-idr", "1")
		}
	}
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
	if bitrate == "" && e.Mode == ffrtmp.ToRTMP {
		bitrate = e.StreamBitrate()
	}
	if bitrate != "" {
		p.add("-b:v", bitrate)
		if e.Encoder == "libsvtav1" {
			return // rejects a maximum beside a target
		}
		peak := bitrate
		if e.Mode != ffrtmp.ToRTMP {
			peak = scaled(bitrate, 1.5)
		}
		p.add("-maxrate", peak, "-bufsize", scaled(bitrate, 2))
		return
	}
	switch {
	case e.Encoder == "libvpx-vp9" || e.Encoder == "libaom-av1":
		p.add("-crf", "32", "-b:v", "0")
	case strings.HasSuffix(e.Encoder, "_nvenc"):
		p.add("-rc", "vbr", "-cq", "23", "-b:v", "0")
	case strings.HasSuffix(e.Encoder, "_qsv"):
		p.add("-global_quality", "23")
	case strings.HasSuffix(e.Encoder, "_vaapi"):
		p.add("-qp", "23")
	}
}

// scaled multiplies a bit rate such as 2500k.
func scaled(bitrate string, factor float64) string {
	unit := strings.TrimLeft(bitrate, "0123456789.")
	// ffrtmp.Resolve has checked the form.
	n, _ := strconv.ParseFloat(strings.TrimSuffix(bitrate, unit), 64)
	n *= factor
	switch unit {
	case "k", "K":
		n *= 1e3
	case "m", "M":
		n *= 1e6
	}
	return strconv.FormatInt(int64(n), 10)
}
