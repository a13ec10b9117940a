package ffrtmp

import (
	"errors"
	"strings"
	"testing"
)

// What cannot work is refused with a field and what works.
func TestResolve_Impossible(t *testing.T) {
	for _, c := range []struct{ scenario, parameters, field, says string }{
		{
			"720p", `{"output":"x.webm"}`, "parameters.codec",
			"h264 does not fit into .webm, which holds av1, vp9; h264 fits into .mp4",
		},
		{"720p-hevc", `{"output":"x.flv"}`, "parameters.codec", "hevc fits into .mp4, .mkv, .mov, .ts"},
		{"720p-av1", `{"output":"x.mov"}`, "parameters.codec", "av1 fits into .mp4, .mkv, .webm"},
		{"720p-vp9", `{"output":"x.MOV"}`, "parameters.codec", "vp9 fits into"},
		{"720p-vp9", `{"output":"x.ts"}`, "parameters.codec", ""},
		{
			"720p", `{"output":"x.mov","audio_codec":"opus"}`, "parameters.audio_codec",
			"opus fits into .mp4, .mkv, .webm, .ts",
		},
		{"720p-vp9", `{"output":"x.webm","audio_codec":"aac"}`, "parameters.audio_codec", "which holds opus"},
		{"720p", `{"rtmp_url":"rtmp://h/a/b","audio_codec":"opus"}`, "parameters.audio_codec", "which holds aac, mp3"},
		{"720p", `{"audio_codec":"pcm"}`, "parameters.audio_codec", "pcm_s16le fits into .mkv, .mov, .wav"},
		{"720p", `{"output":"x.mp3"}`, "parameters.output", "use scenario audio-mp3"},
		{"audio-opus", `{"output":"x.mp3"}`, "parameters.audio_codec", "opus fits into"},
		{"audio-aac", `{"codec":"h264"}`, "parameters.codec", "does not apply to scenario audio-aac"},
		{"audio-flac", `{"audio_bitrate":"96k"}`, "parameters.audio_bitrate", "does not apply"},
		{"audio-aac", `{"audio_codec":"mp3"}`, "parameters.audio_codec", "contradicts"},
		{"audio-aac", `{"rtmp_url":"rtmp://h/a/b"}`, "parameters.output_mode", "makes a file"},
		{"remux", ``, "parameters.input", "is required"},
		{"remux", `{"input":"a.mkv","audio_codec":"aac"}`, "parameters.audio_codec", "copy or none"},
		{"remux", `{"input":"a.mkv","fps":30}`, "parameters.fps", "does not apply"},
		{"360p-av1", `{"resolution":"62x64"}`, "parameters.resolution", "64x64 to 16384x8704"},
		{"360p", `{"fit":"cover"}`, "parameters.fit", "inside, pad, crop or stretch"},
		{"360p", `{"pad_color":"red"}`, "parameters.pad_color", "requires fit pad"},
		{"360p", `{"fit":"pad","pad_color":"black:x=1"}`, "parameters.pad_color", "#RRGGBB"},
		{"360p", `{"crop_rect":"10x10"}`, "parameters.crop_rect", "WIDTH:HEIGHT:X:Y"},
		{"360p", `{"crop_rect":"10:10:0:0"}`, "parameters.crop_rect", "at least 16"},
		{"360p", `{"hdr":"keep"}`, "parameters.hdr", "requires codec hevc, vp9 or av1"},
		{"360p", `{"hdr":"drop"}`, "parameters.hdr", "tonemap or keep"},
		{"360p", `{"hang_timeout_sec":4}`, "parameters.hang_timeout_sec", "between 5 and 86400"},
	} {
		_, err := resolve(t, c.scenario, c.parameters)
		var fault *Error
		if !errors.As(err, &fault) || fault.Code != Invalid || !strings.HasPrefix(err.Error(), c.field+": ") ||
			!strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %s: got %v, want %s: …%s", c.scenario, c.parameters, err, c.field, c.says)
		}
	}
}

// An audio scenario and remux need no video encoder.
func TestResolve_WithoutVideo(t *testing.T) {
	for _, c := range []struct{ scenario, parameters, encoder, extension string }{
		{"audio-aac", ``, "aac", ".m4a"},
		{"Audio-Opus", ``, "libopus", ".opus"},
		{"audio-mp3", ``, "libmp3lame", ".mp3"},
		{"audio-flac", ``, "flac", ".flac"},
		{"audio-pcm", ``, "pcm_s16le", ".wav"},
		{"audio-opus", `{"output":"x.webm"}`, "libopus", ".webm"},
		{"remux", `{"input":"a.mkv"}`, "copy", ".mp4"},
	} {
		e, err := resolve(t, c.scenario, c.parameters)
		if err != nil {
			t.Errorf("%s: %v", c.scenario, err)
			continue
		}
		if got := e.Container().Extension; e.AudioEncoder != c.encoder || e.Encoder != "" || got != c.extension {
			t.Errorf("%s: got %s, %s; want %s, %s", c.scenario, e.AudioEncoder, got, c.encoder, c.extension)
		}
	}
}
