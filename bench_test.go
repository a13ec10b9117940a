package ffrtmp

import (
	"encoding/json"
	"testing"
)

func BenchmarkValidate(b *testing.B) {
	raw := json.RawMessage(`{"input":"films/a.mp4","output":"films/b.mp4","bitrate":"10M","preset":"fast",
		"duration":60,"resource_limits":{"timeout_sec":600}}`)
	for b.Loop() {
		s := Spec{Scenario: "1080p30-h264", Parameters: raw}
		if err := s.Validate(); err != nil {
			b.Fatal(err)
		}
	}
}
