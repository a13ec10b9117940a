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
		{"360p", "{\"input\":\"a\xff.mkv\"}", "parameters.input", "is not UTF-8"},
		{"360p", `{"output":"a\ufffd.mp4"}`, "parameters.output", "is not UTF-8"},
		{"360p", `{"crf":0}`, "parameters.crf", "between 1 and 51 for libx264"},
		{"360p-vp9", `{"crf":64}`, "parameters.crf", "between 0 and 63 for libvpx-vp9"},
		{"360p", `{"crf":20,"bitrate":"1M"}`, "parameters.crf", "excludes bitrate"},
		{"360p", `{"maxrate":"fast"}`, "parameters.maxrate", "such as 10M"},
		{"360p", `{"maxrate":"1M","bitrate":"2M"}`, "parameters.maxrate", "at least bitrate"},
		{"360p", `{"maxrate":"9k"}`, "parameters.maxrate", "at least 10k"},
		{"360p-av1", `{"maxrate":"3M","bitrate":"2M"}`, "parameters.maxrate", "with crf, not with bitrate"},
		{"360p", `{"hwaccel":"vaapi","maxrate":"3M"}`, "parameters.maxrate", "use codec libx264, "},
		{"360p", `{"bufsize":"2M"}`, "parameters.bufsize", "requires maxrate"},
		{"360p", `{"maxrate":"1M","bufsize":"249k"}`, "parameters.bufsize", "a quarter"},
		{"360p", `{"gop_seconds":0}`, "parameters.gop_seconds", "between 0.1 and 60"},
		{"360p", `{"gop_seconds":61}`, "parameters.gop_seconds", "between 0.1 and 60"},
		{"360p", `{"profile":"main10"}`, "parameters.profile", "use baseline, main, high or high10"},
		{"360p-av1", `{"profile":"main"}`, "parameters.profile", "libsvtav1 has none"},
		{"360p", `{"profile":"high","pix_fmt":"yuv420p10le"}`, "parameters.profile", "does not go with"},
		{"360p", `{"profile":"high10","pix_fmt":"yuv420p"}`, "parameters.profile", "does not go with"},
		{"360p-hevc", `{"profile":"main","hdr":"keep"}`, "parameters.profile", "pix_fmt yuv420p10le"},
		{"360p-hevc", `{"pix_fmt":"yuv420p","hdr":"keep"}`, "parameters.pix_fmt", "requires yuv420p10le"},
		{"360p", `{"pix_fmt":"yuv444p"}`, "parameters.pix_fmt", "yuv420p or yuv420p10le"},
		{"360p", `{"profile":"high10","rtmp_url":"rtmp://h/a/b"}`, "parameters.pix_fmt", "RTMP requires yuv420p"},
		{"360p", `{"level":"7"}`, "parameters.level", "6.1 or 6.2"},
		{"360p-hevc", `{"level":"4"}`, "parameters.level", "libx265 has none; use codec libx264"},
		{"360p-vp9", `{"tune":"grain"}`, "parameters.tune", "film or screen"},
		{"360p", `{"film_grain":8}`, "parameters.film_grain", "use codec libsvtav1 or libaom-av1"},
		{"360p-av1", `{"film_grain":51}`, "parameters.film_grain", "between 0 and 50"},
		{"audio-aac", `{"crf":20}`, "parameters.crf", "does not apply"},
		{"remux", `{"input":"a.mkv","gop_seconds":2}`, "parameters.gop_seconds", "does not apply"},
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
