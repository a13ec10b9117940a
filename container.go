package ffrtmp

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// Container is a format of output files: the codecs that ffmpeg writes into it and players read from it.
type Container struct {
	Extension string   // with the dot
	Muxer     string   // ffmpeg's name
	Video     []string // codecs, by ffprobe's names; empty: sound only
	Audio     []string // codecs, the default first
	Subtitles []string // codecs, the default first
}

// Containers lists the formats of outputs. Matroska holds every codec.
var Containers = []Container{
	{
		".mp4", "mp4",
		[]string{"h264", "hevc", "av1", "vp9"},
		[]string{"aac", "mp3", "opus", "ac3", "flac"},
		[]string{"mov_text"},
	},
	{
		".mkv", "matroska",
		[]string{"h264", "hevc", "av1", "vp9"},
		[]string{"aac", "mp3", "opus", "ac3", "flac", "pcm_s16le"},
		[]string{"subrip", "ass", "hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle"},
	},
	{".mov", "mov", []string{"h264", "hevc"}, []string{"aac", "mp3", "ac3", "pcm_s16le"}, []string{"mov_text"}},
	{".webm", "webm", []string{"av1", "vp9"}, []string{"opus"}, []string{"webvtt"}},
	{".ts", "mpegts", []string{"h264", "hevc"}, []string{"aac", "mp3", "opus", "ac3"}, nil},
	{".flv", "flv", []string{"h264"}, []string{"aac", "mp3"}, nil},
	{".m4a", "ipod", nil, []string{"aac"}, nil},
	{".mp3", "mp3", nil, []string{"mp3"}, nil},
	{".opus", "opus", nil, []string{"opus"}, nil},
	{".flac", "flac", nil, []string{"flac"}, nil},
	{".ogg", "ogg", nil, []string{"opus", "flac"}, nil},
	{".wav", "wav", nil, []string{"pcm_s16le"}, nil},
}

// oneTrack reports whether files of that format have one audio track.
func (c Container) oneTrack() bool {
	return c.Muxer == "flv" || len(c.Video) == 0 && c.Muxer != "ipod"
}

// containerOf returns the format that a file's name asks for, or nil.
func containerOf(name string) *Container {
	extension := strings.ToLower(path.Ext(name))
	for i := range Containers {
		if Containers[i].Extension == extension {
			return &Containers[i]
		}
	}
	return nil
}

// Container returns the format of the output. RTMP transports FLV.
func (e *Encoding) Container() Container {
	if e.Mode == ToRTMP {
		return *containerOf(".flv")
	}
	if c := containerOf(e.Output); c != nil {
		return *c
	}
	if e.Audio() {
		for _, c := range Containers {
			if len(c.Video) == 0 && c.Audio[0] == CodecOf(e.AudioEncoder) {
				return c
			}
		}
	}
	return Containers[0]
}

// Audio reports whether the output has no video.
func (e *Encoding) Audio() bool { return e.Encoder == "" && !e.Copy }

// extensions lists the extensions of the formats that fit.
func extensions(fits func(Container) bool) string {
	var list []string
	for _, c := range Containers {
		if fits(c) {
			list = append(list, c.Extension)
		}
	}
	return strings.Join(list, ", ")
}

// codecNames are ffprobe's names of what encoders write, where that is not the encoder's name up to "_".
var codecNames = map[string]string{
	"libx264": "h264", "libx265": "hevc", "libvpx-vp9": "vp9", "libsvtav1": "av1", "libaom-av1": "av1",
	"libmp3lame": "mp3", "libopus": "opus", "pcm_s16le": "pcm_s16le",
}

// CodecOf returns ffprobe's name of the codec that an encoder writes.
func CodecOf(encoder string) string {
	if name, ok := codecNames[encoder]; ok {
		return name
	}
	name, _, _ := strings.Cut(encoder, "_")
	return name
}

// checkPair returns an error that names the field unless the output's container holds the codecs.
func checkPair(e *Encoding) error {
	if e.Mode == ToNull || e.Copy {
		return nil // what a copy holds is known when its input is read
	}
	c, audio := e.Container(), e.AudioEncoder
	if len(e.AudioTracks) > 0 {
		audio = "" // their codecs are checked with the tracks
	}
	return cmp.Or(
		checkCodec("parameters.codec", c, c.Video, e.Encoder, func(c Container) []string { return c.Video }),
		checkCodec("parameters.audio_codec", c, c.Audio, audio, func(c Container) []string { return c.Audio }))
}

func checkCodec(field string, c Container, held []string, encoder string, of func(Container) []string) error {
	codec := CodecOf(encoder)
	if encoder == "" || slices.Contains(held, codec) {
		return nil
	}
	return FieldErrorf(field, "%s does not fit into %s, which holds %s; %s fits into %s", codec, c.Extension,
		strings.Join(held, ", "), codec, extensions(func(c Container) bool { return slices.Contains(of(c), codec) }))
}

// checkEncoderSize returns an error that names the resolution unless the encoder encodes that size.
func checkEncoderSize(e *Encoding) error {
	if e.Encoder == "libsvtav1" && (min(e.Width, e.Height) < 64 || e.Height > 8704) {
		return FieldErrorf("parameters.resolution", "libsvtav1 encodes 64x64 to 16384x8704, not %dx%d; "+
			"use another size, or codec libaom-av1", e.Width, e.Height)
	}
	return nil
}
