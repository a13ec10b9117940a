package ffrtmp

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
)

// A v2.2 agent ignores the scenario and most parameters. It makes a test pattern of resolution_width, resolution_height
// and frame_rate, as a file without sound and at most two minutes long, and encodes it with codec, preset and bitrate.
// A stream is made from resolution and fps. An input is encoded as it is.

// legacySeconds is the longest test pattern that a v2.2 agent makes.
const legacySeconds = 120

// legacyPresets maps the encoders that a v2.2 agent can use to the preset for a job without one. The agent always
// passes a preset, by default one of libx264.
var legacyPresets = map[string]string{
	"libx264":    "medium",
	"libx265":    "medium",
	"libvpx-vp9": "medium", // which the encoder does not have: ffmpeg warns
	"libsvtav1":  "8",
	"h264_nvenc": "medium",
	"hevc_nvenc": "medium",
}

// LegacyParameters returns the parameters with which a v2.2 agent does what a job says: the given ones and what the
// scenario implies, under v2.2's names. The error says why a v2.2 agent cannot do it.
func LegacyParameters(scenario string, raw json.RawMessage) (json.RawMessage, error) {
	p, err := ParseParameters(raw)
	if err != nil {
		return nil, err
	}
	e, err := Resolve(scenario, p)
	if err != nil {
		return nil, err
	}
	if reason := e.notLegacy(p); reason != "" {
		return nil, Errorf(Invalid, "%s", reason)
	}
	fields := map[string]any{}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &fields); err != nil {
			return nil, Errorf(Invalid, "parameters: %v", err)
		}
	}
	for name, value := range fields {
		if value == nil || value == "" {
			delete(fields, name) // v2.2 takes an empty input for one
		}
	}
	e.addLegacy(fields)
	return json.Marshal(fields)
}

// addLegacy sets everything that a v2.2 agent reads.
func (e *Encoding) addLegacy(fields map[string]any) {
	limits := e.Limits
	limits.TimeoutSec = cmp.Or(limits.TimeoutSec, maxDurationSeconds) // v2.2's default is an hour
	fps := cmp.Or(e.FPS, PatternFPS)
	for name, value := range map[string]any{
		"engine":            "ffmpeg", // by default GStreamer makes streams and all jobs of the live queue
		"codec":             e.Encoder,
		"preset":            e.legacyPreset(),
		"bitrate":           e.legacyBitrate(),
		"duration":          e.Duration,
		"resolution_width":  e.Width,
		"resolution_height": e.Height,
		"resolution":        fmt.Sprintf("%dx%d", e.Width, e.Height),
		"frame_rate":        fps,
		"fps":               fps,
		"output_mode":       e.Mode,
		"resource_limits":   limits,
	} {
		fields[name] = value
	}
	if e.Mode == ToRTMP {
		fields["rtmp_url"] = e.URL // v2.2 does not add the stream key
	}
}

func (e *Encoding) legacyPreset() string {
	if e.Mode == ToRTMP && e.Encoder == "libx264" {
		return cmp.Or(e.Preset, "veryfast")
	}
	return cmp.Or(e.Preset, legacyPresets[e.Encoder])
}

// legacyBitrate returns the bit rate. v2.2's default is 2000k; 0 selects the encoder's default quality.
func (e *Encoding) legacyBitrate() string {
	if e.Mode == ToRTMP {
		return cmp.Or(e.Bitrate, e.StreamBitrate())
	}
	return cmp.Or(e.Bitrate, "0")
}

// notLegacy returns why a v2.2 agent cannot run the job, or "". The parameters are an allow-list: one that is not known
// to work there excludes v2.2 nodes.
func (e *Encoding) notLegacy(p Parameters) string {
	if p.Input != "" {
		return "a v2.2 agent does not scale an input"
	}
	if name := beyondLegacy(p); name != "" {
		return "a v2.2 agent ignores parameters." + name
	}
	if e.Audio() || e.Copy {
		return "a v2.2 agent always encodes video"
	}
	if legacyPresets[e.Encoder] == "" {
		return "a v2.2 agent does not support the encoder " + e.Encoder
	}
	return cmp.Or(e.legacyTiming(), e.legacyOutput(p))
}

// beyondLegacy returns the name of a parameter that a v2.2 agent ignores, or "".
func beyondLegacy(p Parameters) string {
	p.Duration, p.DurationSeconds, p.Bitrate, p.Codec, p.Preset, p.HWAccel = nil, nil, "", "", "", ""
	p.Resolution, p.ResolutionWidth, p.ResolutionHeight, p.FPS, p.FrameRate = "", nil, nil, nil, nil
	p.Output, p.OutputMode, p.RTMPURL, p.StreamKey, p.AudioCodec, p.Engine = "", "", "", "", "", ""
	p.Overwrite = false
	if l := p.ResourceLimits; l != nil {
		p.ResourceLimits = nil
		if l.MaxDiskMB > 0 {
			return "resource_limits.max_disk_mb"
		}
	}
	v := reflect.ValueOf(p)
	if v.IsZero() {
		return ""
	}
	for i := range v.NumField() {
		if !v.Field(i).IsZero() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			return name
		}
	}
	return ""
}

// legacyTiming returns why a v2.2 agent cannot keep the frame rate or the duration, or "".
func (e *Encoding) legacyTiming() string {
	switch {
	case e.FPS != math.Trunc(e.FPS):
		return "a v2.2 agent rounds the frame rate down"
	case e.Duration != math.Trunc(e.Duration):
		return "a v2.2 agent rounds the duration down"
	case e.Mode == ToFile && e.Duration > legacySeconds:
		return fmt.Sprintf("a v2.2 agent makes test patterns of at most %d seconds", legacySeconds)
	}
	return ""
}

// legacyOutput returns why a v2.2 agent cannot make the output, or "".
func (e *Encoding) legacyOutput(p Parameters) string {
	switch {
	case e.Output != "" && !p.Overwrite:
		return "a v2.2 agent overwrites an existing output"
	case e.Mode == ToNull:
		return "a v2.2 agent always makes a file or a stream"
	case e.Mode == ToRTMP && e.AudioEncoder != "aac":
		return "a v2.2 agent streams AAC only"
	case e.Mode == ToFile && p.AudioCodec != "" && e.AudioEncoder != "":
		return "a v2.2 agent makes files without sound"
	}
	return ""
}
